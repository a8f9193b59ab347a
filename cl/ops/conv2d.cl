/* conv2d.cl -- the weight of a convolution's gradient: y[i, t, o] = x[o, taps-1-t, i].
 * One work-item writes one row of y, all o.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif

__kernel void conv2d_flip(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int outs, const int taps,
                          const int ins)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const int row = (int)get_global_id(0);
    if (row >= ins * taps) return;
    const int in = row / taps, tap = taps - 1 - row % taps;
    y += (long)row * outs;
    for (int out = 0; out < outs; ++out) {
        const float v = LOAD(X_STORE, x, ((long)out * taps + tap) * ins + in);
        STORE(Y_STORE, v, y, out);
    }
}

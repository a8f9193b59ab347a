/* conv2d.cl -- for the gradient of a convolution's input: the weight turned around, and the sum of what the
 * taps that touched a pixel have for it.
 * SPDX-License-Identifier: MIT */
#include "window.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif

/* y[i, t, o] = x[o, taps-1-t, i].  One work-item writes one row of y, all o. */
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

/* Taps of one window side by side along C; windows in order.  `columns`: [B, places_y, places_x, size_y,
 * size_x, C]. */
#define GATHER(type, load, store, i) \
    const picture_place p = place_in(i, height, width, channels); \
    const int2 windows_y = SEEING_Y(p.y), windows_x = SEEING_X(p.x); \
    type sum = (type)(0.0f); \
    for (int down = windows_y.x; down < windows_y.y; ++down) { \
        for (int across = windows_x.x; across < windows_x.y; ++across) { \
            const int tap_y = p.y + before_y - down * stride_y, tap_x = p.x + before_x - across * stride_x; \
            const long window = ((long)p.picture * places_y + down) * places_x + across; \
            const long tap = (window * size_y + tap_y) * size_x + tap_x; \
            sum += load(X_STORE, columns, tap * channels + p.channel); \
        } \
    } \
    store(Y_STORE, factor * sum, dx, i);

/* Walks dx's elements, vectors along C where VEC divides it. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void conv2d_gather(TENSOR_OUT(Y_STORE, dx), TENSOR_IN(X_STORE, columns), const float factor, const int count,
                   WINDOW_ARGUMENTS)
{
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(columns);
    FOR_VECTORS(i, count)
    {
        if (channels % VEC == 0) {
            GATHER(floatv, LOAD_VEC, STORE_VEC, i)
        } else {
            for (int e = i; e < min(i + VEC, count); ++e) { GATHER(float, LOAD, STORE, e) }
        }
    }
}

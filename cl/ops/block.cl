/* block.cl -- the ends of a residual block in 16 bits: y = residual + x, and the gradients' scaling; see the
 * host file.  DIVIDE: y = x / scale, 0 where that is not finite; otherwise y = x times scale.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef RESIDUAL_STORE
#define RESIDUAL_STORE STORE_F32
#endif
#ifndef SCALE_STORE
#define SCALE_STORE STORE_F32
#endif
#ifndef DIVIDE
#define DIVIDE 0
#endif

__kernel void block_scaled(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), TENSOR_IN(SCALE_STORE, scale),
                           const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const float s = LOAD(SCALE_STORE, scale, scale_offset);
    FOR_VECTORS(i, count)
    {
        floatv v = LOAD_VEC(X_STORE, x, i);
#if DIVIDE
        v /= s;
        /* Neither a comparison nor isfinite: what is not finite has an exponent of ones. */
        v = AS_FLOATV(select(AS_INTV(v), (intv)(0), (AS_INTV(v) & 0x7f800000) == 0x7f800000));
#else
        v *= s;
#endif
        STORE_VEC(Y_STORE, v, y, i);
    }
}

__kernel void block_end(TENSOR_OUT(Y_STORE, y), TENSOR_IN(RESIDUAL_STORE, residual), TENSOR_IN(X_STORE, x),
                        const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(residual);
    TENSOR_BEGIN(x);
    FOR_VECTORS(i, count)
        STORE_VEC(Y_STORE, LOAD_VEC(RESIDUAL_STORE, residual, i) + LOAD_VEC(X_STORE, x, i), y, i);
}

/* error_feedback.cl -- what a lossy sum of gradients has not sent yet, in place; see the host file.  What is
 * not finite is kept as not a number, so that no type makes a large number of it.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef ERROR_STORE
#define ERROR_STORE STORE_F32
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef SCALED
#define SCALED 0
#endif
#ifndef SCALE_STORE
#define SCALE_STORE STORE_F32
#endif

/* Whether each element is finite, as select() wants it. */
#define IS_FINITE(v) ((AS_INTV(v) & (intv)(0x7f800000)) != (intv)(0x7f800000))

__kernel void error_add(TENSOR_OUT(ERROR_STORE, kept), TENSOR_IN(X_STORE, x),
#if SCALED
                        TENSOR_IN(SCALE_STORE, scale),
#endif
                        const int count, const float factor)
{
    TENSOR_BEGIN(kept);
    TENSOR_BEGIN(x);
#if SCALED
    const float own = factor / scale[scale_offset];
#else
    const float own = factor;
#endif
    FOR_VECTORS(i, count)
    {
        const floatv v = LOAD_VEC(ERROR_STORE, kept, i) + own * LOAD_VEC(X_STORE, x, i);
        STORE_VEC(ERROR_STORE, select((floatv)(NAN), v, IS_FINITE(v)), kept, i);
    }
}

__kernel void error_take(TENSOR_OUT(ERROR_STORE, kept), TENSOR_IN(X_STORE, x), TENSOR_IN(SCALE_STORE, scale),
                         const int count)
{
    TENSOR_BEGIN(kept);
    TENSOR_BEGIN(x);
    const bool sent = scale[scale_offset + 2] != 0.0f;
    FOR_VECTORS(i, count)
    {
        floatv v = LOAD_VEC(ERROR_STORE, kept, i);
        if (sent) v -= LOAD_VEC(X_STORE, x, i);
        STORE_VEC(ERROR_STORE, select((floatv)(0.0f), v, IS_FINITE(v)), kept, i);
    }
}

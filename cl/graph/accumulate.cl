/* accumulate.cl -- what reverse-mode differentiation itself needs: the sum of gradient contributions
 * and the constant 1 it starts from.
 *   accumulate_forward          y = a + b, contiguous
 *   accumulate_forward_strided  the same, a and b being views of up to six axes
 *   fill_forward                y = value
 * Options: LANES, VEC; Y_STORE, A_STORE, B_STORE; for the strided form D0..D5 sizes, A0..A5, B0..B5 strides.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif

#ifdef B_STORE
__kernel void accumulate_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    FOR_VECTORS(i, count)
    {
        STORE_VEC(Y_STORE, LOAD_VEC(A_STORE, a, i) + LOAD_VEC(B_STORE, b, i), y, i);
    }
}

#ifdef D0
/* One work-item per run along the last axis. */
__kernel void accumulate_forward_strided(TENSOR_OUT(Y_STORE, y), TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), const int runs)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    const int run = (int)get_global_id(0);
    if (run >= runs) return;
    int rest = run;
    long at_a = 0, at_b = 0;
    at_a += (long)(rest % D4) * A4, at_b += (long)(rest % D4) * B4, rest /= D4;
    at_a += (long)(rest % D3) * A3, at_b += (long)(rest % D3) * B3, rest /= D3;
    at_a += (long)(rest % D2) * A2, at_b += (long)(rest % D2) * B2, rest /= D2;
    at_a += (long)(rest % D1) * A1, at_b += (long)(rest % D1) * B1, rest /= D1;
    at_a += (long)rest * A0, at_b += (long)rest * B0;
    for (int i = 0; i < D5; ++i)
        STORE(Y_STORE, LOAD(A_STORE, a, at_a + (long)i * A5) + LOAD(B_STORE, b, at_b + (long)i * B5), y, (long)run * D5 + i);
}
#endif
#else
__kernel void fill_forward(TENSOR_OUT(Y_STORE, y), const float value, const int count)
{
    TENSOR_BEGIN(y);
    FOR_VECTORS(i, count)
    {
        STORE_VEC(Y_STORE, (floatv)(value), y, i);
    }
}
#endif

/* binary.cl -- y[i] = a[i] f b[i mod period], f one of + - * /.
 * Options: FUNCTION: ADD, SUB, MUL, DIV; REPEAT: NONE (b is as long as a), ONE (b has one element),
 * VECTORS (the period is a multiple of VEC), ELEMENTS (any period).
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef A_STORE
#define A_STORE STORE_F32
#endif
#ifndef B_STORE
#define B_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef FUNCTION
#define FUNCTION ADD
#endif

#define REPEAT_NONE 0
#define REPEAT_ONE 1
#define REPEAT_VECTORS 2
#define REPEAT_ELEMENTS 3
#ifndef REPEAT
#define REPEAT REPEAT_NONE
#endif

#define VALUE_ADD(a, b) ((a) + (b))
#define VALUE_SUB(a, b) ((a) - (b))
#define VALUE_MUL(a, b) ((a) * (b))
#define VALUE_DIV(a, b) ((a) / (b))
#define VALUE(a, b) CONCAT(VALUE_, FUNCTION)(a, b)

static inline floatv second(__global const ELEMENT(B_STORE) *b, int i, int period)
{
#if REPEAT == REPEAT_NONE
    return LOAD_VEC(B_STORE, b, i);
#elif REPEAT == REPEAT_ONE
    return (floatv)(LOAD(B_STORE, b, 0));
#elif REPEAT == REPEAT_VECTORS
    return LOAD_VEC(B_STORE, b, i % period);
#else
    float part[VEC];
    int at = i % period;
    for (int j = 0; j < VEC; ++j) {
        part[j] = LOAD(B_STORE, b, at);
        at = at + 1 == period ? 0 : at + 1;
    }
    return VLOAD_F32(part, 0);
#endif
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void binary_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), const int period,
                    const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    FOR_VECTORS(i, count)
    {
        const floatv v = LOAD_VEC(A_STORE, a, i);
        STORE_VEC(Y_STORE, VALUE(v, second(b, i, period)), y, i);
    }
}

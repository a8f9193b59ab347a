/* binary.cl -- y[i] = a[i] f b[i mod period], f one of + - * /.
 * Options: FUNCTION: ADD, SUB, MUL, DIV; REPEAT: NONE (b is as long as a), ONE (b has one element),
 * VECTORS (the period is a multiple of VEC), ELEMENTS (any period).
 * binary_axes: where either is repeated along any axes; VECTORS: the last axis is a multiple of VEC, else
 * ELEMENTS.
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

/* ---- Up to six axes: the result's size, and the steps of a and b along each, 0 where one is repeated */

#define AXIS(n) const int size##n, const int a##n, const int b##n
#define AXES AXIS(0), AXIS(1), AXIS(2), AXIS(3), AXIS(4), AXIS(5)
#define PASS_AXIS(n) size##n, a##n, b##n
#define PASS_AXES PASS_AXIS(0), PASS_AXIS(1), PASS_AXIS(2), PASS_AXIS(3), PASS_AXIS(4), PASS_AXIS(5)

/* Where element i of the result has its a and its b. */
static inline int2 places_of(int i, AXES)
{
    int2 at = (int2)(0, 0);
#define STEP(n) \
    at += i % size##n * (int2)(a##n, b##n); \
    i /= size##n;
    STEP(5)
    STEP(4)
    STEP(3)
    STEP(2)
    STEP(1)
    STEP(0)
    return at;
}

/* VEC elements side by side along the last axis, or one. */
#define LOAD_ALONG(store, p, at, step) ((step) ? LOAD_VEC(store, p, at) : (floatv)(LOAD(store, p, at)))

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void binary_axes(TENSOR_OUT(Y_STORE, y), TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), const int count, AXIS(0), AXIS(1),
                 AXIS(2), AXIS(3), AXIS(4), AXIS(5))
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    FOR_VECTORS(i, count)
    {
#if REPEAT == REPEAT_VECTORS
        const int2 at = places_of(i, PASS_AXES);
        const floatv v = LOAD_ALONG(A_STORE, a, at.x, a5), w = LOAD_ALONG(B_STORE, b, at.y, b5);
#else
        float part[VEC], other[VEC];
        for (int j = 0; j < VEC; ++j) {
            const int2 at = places_of(min(i + j, count - 1), PASS_AXES);
            part[j] = LOAD(A_STORE, a, at.x);
            other[j] = LOAD(B_STORE, b, at.y);
        }
        const floatv v = VLOAD_F32(part, 0), w = VLOAD_F32(other, 0);
#endif
        STORE_VEC(Y_STORE, VALUE(v, w), y, i);
    }
}

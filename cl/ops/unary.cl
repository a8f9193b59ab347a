/* unary.cl -- y = f(x), and dx = dy f'.
 * FUNCTION names a row of the table below; SLOPE_ gets what the host gives as X: x itself, or for EXP and
 * SIGMOID the result.  `first` and `second` are the function's parameters.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef DY_STORE
#define DY_STORE STORE_F32
#endif
#ifndef FUNCTION
#define FUNCTION AFFINE
#endif

#define VALUE_AFFINE(x) (first * (x) + second)
#define SLOPE_AFFINE(x) ((floatv)(first))
#define VALUE_SQUARE(x) ((x) * (x))
#define SLOPE_SQUARE(x) (2.0f * (x))
#define VALUE_EXP(x) exp(x)
#define SLOPE_EXP(y) (y)
#define VALUE_LOG(x) log(x)
#define SLOPE_LOG(x) (1.0f / (x))
#define VALUE_SIGMOID(x) (1.0f / (1.0f + exp(-(x))))
#define SLOPE_SIGMOID(y) ((y) * (1.0f - (y)))
#define VALUE_CLAMP(x) fmin(fmax(x, (floatv)(first)), (floatv)(second))
#define SLOPE_CLAMP(x) select((floatv)(0.0f), (floatv)(1.0f), (x) >= first && (x) <= second)

#define VALUE(x) CONCAT(VALUE_, FUNCTION)(x)
static inline floatv slope(floatv x, float first, float second) { return CONCAT(SLOPE_, FUNCTION)(x); }

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void unary_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const float first, const float second,
                   const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    FOR_VECTORS(i, count)
    {
        const floatv v = LOAD_VEC(X_STORE, x, i);
        STORE_VEC(Y_STORE, VALUE(v), y, i);
    }
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void unary_backward(TENSOR_OUT(Y_STORE, dx), TENSOR_IN(X_STORE, x), TENSOR_IN(DY_STORE, dy), const float first,
                    const float second, const int count)
{
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(dy);
    FOR_VECTORS(i, count)
    {
        STORE_VEC(Y_STORE, LOAD_VEC(DY_STORE, dy, i) * slope(LOAD_VEC(X_STORE, x, i), first, second), dx, i);
    }
}

/* softmax.cl -- y = exp(x - max x) / sum exp(x - max x) along the last axis; dx = y (dy - sum(dy y)).
 * One group a row.
 * Options: X_STORE, Y_STORE, DY_STORE; KEEP: 1 if y may hold the exponentials between two passes.
 * SPDX-License-Identifier: MIT */
#include "reduce.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef DY_STORE
#define DY_STORE STORE_F32
#endif
#ifndef KEEP
#define KEEP 0
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void softmax_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int columns)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    x += (long)get_group_id(0) * columns;
    y += (long)get_group_id(0) * columns;

    floatv most = -INFINITY;
    float rest = -INFINITY;
    FOR_ROW_VECTORS(i, columns) most = fmax(most, LOAD_VEC(X_STORE, x, i));
    FOR_ROW_REST(i, columns) rest = fmax(rest, LOAD(X_STORE, x, i));
    const float top = reduce_max(fmax(vector_max(most), rest), scratch);

    floatv sum = 0.0f;
    rest = 0.0f;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv e = exp(LOAD_VEC(X_STORE, x, i) - top);
        sum += e;
#if KEEP
        STORE_VEC(Y_STORE, e, y, i);
#endif
    }
    FOR_ROW_REST(i, columns)
    {
        const float e = exp(LOAD(X_STORE, x, i) - top);
        rest += e;
#if KEEP
        STORE(Y_STORE, e, y, i);
#endif
    }
    const float scale = 1.0f / reduce_sum(vector_sum(sum) + rest, scratch);

#if KEEP
    FOR_ROW_VECTORS(i, columns) STORE_VEC(Y_STORE, scale * LOAD_VEC(Y_STORE, y, i), y, i);
    FOR_ROW_REST(i, columns) STORE(Y_STORE, scale * LOAD(Y_STORE, y, i), y, i);
#else
    FOR_ROW_VECTORS(i, columns) STORE_VEC(Y_STORE, scale * exp(LOAD_VEC(X_STORE, x, i) - top), y, i);
    FOR_ROW_REST(i, columns) STORE(Y_STORE, scale * exp(LOAD(X_STORE, x, i) - top), y, i);
#endif
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void softmax_backward(TENSOR_OUT(X_STORE, dx), TENSOR_IN(Y_STORE, y), TENSOR_IN(DY_STORE, dy), const int columns)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(dy);
    const long row = (long)get_group_id(0) * columns;
    dx += row;
    y += row;
    dy += row;

    floatv sum = 0.0f;
    float rest = 0.0f;
    FOR_ROW_VECTORS(i, columns) sum += LOAD_VEC(Y_STORE, y, i) * LOAD_VEC(DY_STORE, dy, i);
    FOR_ROW_REST(i, columns) rest += LOAD(Y_STORE, y, i) * LOAD(DY_STORE, dy, i);
    const float dot = reduce_sum(vector_sum(sum) + rest, scratch);

    FOR_ROW_VECTORS(i, columns)
        STORE_VEC(X_STORE, LOAD_VEC(Y_STORE, y, i) * (LOAD_VEC(DY_STORE, dy, i) - dot), dx, i);
    FOR_ROW_REST(i, columns) STORE(X_STORE, LOAD(Y_STORE, y, i) * (LOAD(DY_STORE, dy, i) - dot), dx, i);
}

/* sum.cl -- sums along the last axis, over rows, over axes in the middle and of everything, and their
 * gradients. Every sum goes in an order that depends on the launch alone.
 * SPDX-License-Identifier: MIT */
#include "reduce.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef VECTORS
#define VECTORS 1 /* vectors of columns that a work-item of sum_rows owns */
#endif

/* y[r] = sum_c x[r, c].  One group a row. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_last(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int columns)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const int row = (int)get_group_id(0);
    x += (long)row * columns;
    floatv sum = 0.0f;
    float rest = 0.0f;
    FOR_ROW_VECTORS(i, columns) sum += LOAD_VEC(X_STORE, x, i);
    FOR_ROW_REST(i, columns) rest += LOAD(X_STORE, x, i);
    const float total = reduce_sum(vector_sum(sum) + rest, scratch);
    if (get_local_id(0) == 0) STORE(Y_STORE, total, y, row);
}

/* y[k, c] = factor times the sum of x[r, c] over the rows of stretch k.  One work-item owns VECTORS * VEC
 * columns of one stretch; neighbours read neighbouring columns. */
__kernel void sum_rows(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int rows, const int columns,
                       const int stretch, const int blocks, const int chunks, const float factor)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const int item = (int)get_global_id(0), chunk = item / blocks;
    if (chunk >= chunks) return;
    const int first = (item - chunk * blocks) * VECTORS * VEC;
    const int begin = chunk * stretch, end = min(rows, begin + stretch);
    y += (long)chunk * columns;
    if (first + VECTORS * VEC <= columns) {
        floatv sum[VECTORS];
        for (int v = 0; v < VECTORS; ++v) sum[v] = 0.0f;
        for (int r = begin; r < end; ++r)
            for (int v = 0; v < VECTORS; ++v)
                sum[v] += LOAD_VEC(X_STORE, x, (long)r * columns + first + v * VEC);
        for (int v = 0; v < VECTORS; ++v) STORE_VEC(Y_STORE, factor * sum[v], y, first + v * VEC);
        return;
    }
    int c = first;
    for (; c + VEC <= columns; c += VEC) {
        floatv sum = 0.0f;
        for (int r = begin; r < end; ++r) sum += LOAD_VEC(X_STORE, x, (long)r * columns + c);
        STORE_VEC(Y_STORE, factor * sum, y, c);
    }
    for (; c < columns; ++c) {
        float sum = 0.0f;
        for (int r = begin; r < end; ++r) sum += LOAD(X_STORE, x, (long)r * columns + c);
        STORE(Y_STORE, factor * sum, y, c);
    }
}

/* Rows are summed so many at a time, and then these sums: less rounding, and no loop too long. */
#define ROWS_AT_ONCE 1024

/* y[o, c] = sum_r x[o, r, c].  One work-item owns VEC columns of one o; neighbours read neighbouring
 * columns. */
__kernel void sum_middle(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const int items, const int blocks,
                         const int rows, const int columns)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const int item = (int)get_global_id(0), outer = item / blocks;
    if (item >= items) return;
    const int first = (item - outer * blocks) * VEC, end = min(first + VEC, columns);
    x += (long)outer * rows * columns;
    y += (long)outer * columns;
    if (first + VEC <= columns) {
        floatv total = 0.0f;
        for (int begin = 0; begin < rows; begin += ROWS_AT_ONCE) {
            floatv sum = 0.0f;
            for (int r = begin; r < min(begin + ROWS_AT_ONCE, rows); ++r)
                sum += LOAD_VEC(X_STORE, x, (long)r * columns + first);
            total += sum;
        }
        STORE_VEC(Y_STORE, total, y, first);
        return;
    }
    for (int c = first; c < end; ++c) {
        float total = 0.0f;
        for (int begin = 0; begin < rows; begin += ROWS_AT_ONCE) {
            float sum = 0.0f;
            for (int r = begin; r < min(begin + ROWS_AT_ONCE, rows); ++r)
                sum += LOAD(X_STORE, x, (long)r * columns + c);
            total += sum;
        }
        STORE(Y_STORE, total, y, c);
    }
}

/* y[g] = factor times the sum of x over stretch g, a multiple of VEC.  One group a stretch. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_all(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const float factor, const int stretch, const int count)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    const int group = (int)get_group_id(0);
    const long begin = (long)group * stretch;
    const int own = (int)max(0L, min((long)stretch, count - begin));
    x += begin;
    floatv sum = 0.0f;
    float rest = 0.0f;
    FOR_ROW_VECTORS(i, own) sum += LOAD_VEC(X_STORE, x, i);
    FOR_ROW_REST(i, own) rest += LOAD(X_STORE, x, i);
    const float total = reduce_sum(vector_sum(sum) + rest, scratch);
    if (get_local_id(0) == 0) STORE(Y_STORE, factor * total, y, group);
}

/* y[i] = factor x[..]: the element's row, its column, or the one element there is. */
#define SPREAD_ROW 0
#define SPREAD_COLUMN 1
#define SPREAD_ONE 2
#ifndef SPREAD
#define SPREAD SPREAD_ONE
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_spread(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), const float factor, const int columns,
                const int count)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(x);
    FOR_VECTORS(i, count)
    {
#if SPREAD == SPREAD_ONE
        STORE_VEC(Y_STORE, (floatv)(factor * LOAD(X_STORE, x, 0)), y, i);
#else
        float part[VEC];
        for (int j = 0; j < VEC; ++j) {
            const int at = min(i + j, count - 1); /* the last vector may be longer than what is left */
            part[j] = LOAD(X_STORE, x, SPREAD == SPREAD_ROW ? at / columns : at % columns);
        }
        STORE_VEC(Y_STORE, factor * VLOAD_F32(part, 0), y, i);
#endif
    }
}

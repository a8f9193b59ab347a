/* householder.cl -- orthonormal rows by reflections, of matrices [r, n] one behind the other; see the host
 * file.  `work` holds, for `rows` rows in all: the rows, on which the reflections act; those that are
 * being made; and of each row's reflection what v has more than the row in its place on the diagonal, and
 * 2 / |v|^2.
 * SPDX-License-Identifier: MIT */
#include "reduce.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef WORK_STORE
#define WORK_STORE STORE_F32
#endif

/* The lane that FOR_ROW_VECTORS and FOR_ROW_REST give element i of a row. */
#define OWNER(i, count) ((i) < ROW_WHOLE(count) ? (i) / VEC % LANES : ((i) - ROW_WHOLE(count)) % LANES)

/* The rows, and `shift` on the diagonal of each matrix.  One group a row. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void householder_begin(TENSOR_OUT(WORK_STORE, work), TENSOR_IN(X_STORE, x), const int r, const int n,
                       const float factor, const float shift)
{
    const int row = (int)get_group_id(0), k = row % r;
    work += work_offset + (long)row * n;
    x += x_offset + (long)row * n;
    FOR_ROW_VECTORS(i, n) VSTORE_F32(factor * LOAD_VEC(X_STORE, x, i), work, i);
    FOR_ROW_REST(i, n) work[i] = factor * LOAD(X_STORE, x, i);
    if ((int)get_local_id(0) == OWNER(k, n)) work[k] = factor * LOAD(X_STORE, x, k) + shift;
}

/* Reflection j: a group for each row k >= j of each matrix, all of which find it from row j.  That of k = j
 * writes it down, and clears what row j has before the diagonal; the others reflect their row. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void householder_reflect(TENSOR_OUT(WORK_STORE, work), const int rows, const int r, const int n, const int j)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(work);
    const int group = (int)get_group_id(0), left = r - j, first = group / left * r, k = j + group % left;
    const int count = n - j;
    __global const float *x = work + (long)(first + j) * n + j;
    __global float *y = work + (long)(first + k) * n + j;
    const float x0 = x[0], y0 = y[0];
    floatv squares = (floatv)(0.0f), products = (floatv)(0.0f);
    float square = 0.0f, product = 0.0f;
    FOR_ROW_VECTORS(i, count)
    {
        const floatv v = VLOAD_F32(x, i);
        squares += v * v;
        products += v * VLOAD_F32(y, i);
    }
    FOR_ROW_REST(i, count)
    {
        square += x[i] * x[i];
        product += x[i] * y[i];
    }
    const float norm = sqrt(reduce_sum(vector_sum(squares) + square, scratch));
    const float dot = reduce_sum(vector_sum(products) + product, scratch);
#if LANES > 1
    barrier(CLK_GLOBAL_MEM_FENCE); /* all have read y[0] before one writes it */
#endif
    /* v is x, with x0 moved away from zero by the norm; a row of zeros is left as it is.  What is not finite
     * must show in the result: 2 / infinity would hide it. */
    const float more = x0 < 0.0f ? -norm : norm, size = 2.0f * norm * (norm + fabs(x0));
    const float factor = size == 0.0f ? 0.0f : isinf(size) ? NAN : 2.0f / size;
    if (k == j) {
        __global float *moved = work + 2l * rows * n;
        if (get_local_id(0) == 0) {
            moved[first + j] = more;
            moved[rows + first + j] = factor;
        }
        for (int i = (int)get_local_id(0); i < j; i += LANES) y[i - j] = 0.0f;
        return;
    }
    const float times = factor * (dot + more * y0);
    FOR_ROW_VECTORS(i, count) VSTORE_F32(VLOAD_F32(y, i) - times * VLOAD_F32(x, i), y, i);
    FOR_ROW_REST(i, count) y[i] -= times * x[i];
    if (get_local_id(0) == 0) y[0] = y0 - times * (x0 + more);
}

/* Row k of the result: the unit vector k, reflected by k, k - 1, .. 0 (those after k leave it as it is).  One
 * group a row, in which each lane reads and writes its own elements only. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void householder_form(TENSOR_OUT(Y_STORE, y), TENSOR_OUT(WORK_STORE, work), const int rows, const int r,
                      const int n)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(work);
    const int row = (int)get_group_id(0), k = row % r, first = row - k, lane = (int)get_local_id(0);
    __global float *q = work + (long)(rows + row) * n;
    __global const float *moved = work + 2l * rows * n;
    FOR_ROW_VECTORS(i, n) VSTORE_F32((floatv)(0.0f), q, i);
    FOR_ROW_REST(i, n) q[i] = 0.0f;
    if (lane == OWNER(k, n)) q[k] = 1.0f;
    for (int j = k; j >= 0; --j) {
        __global const float *x = work + (long)(first + j) * n;
        const float more = moved[first + j], factor = moved[rows + first + j];
        floatv products = (floatv)(0.0f);
        float product = lane == OWNER(j, n) ? more * q[j] : 0.0f;
        FOR_ROW_VECTORS(i, n) products += VLOAD_F32(x, i) * VLOAD_F32(q, i);
        FOR_ROW_REST(i, n) product += x[i] * q[i];
        const float times = factor * reduce_sum(vector_sum(products) + product, scratch);
        FOR_ROW_VECTORS(i, n) VSTORE_F32(VLOAD_F32(q, i) - times * VLOAD_F32(x, i), q, i);
        FOR_ROW_REST(i, n) q[i] -= times * x[i];
        if (lane == OWNER(j, n)) q[j] -= times * more;
    }
    y += y_offset + (long)row * n;
    FOR_ROW_VECTORS(i, n) STORE_VEC(Y_STORE, VLOAD_F32(q, i), y, i);
    FOR_ROW_REST(i, n) STORE(Y_STORE, q[i], y, i);
}

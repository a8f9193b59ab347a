/* thin.cl -- matrix multiplication with few rows, as in decoding: B is read once, and the order of the
 * sum behind an element of C depends on k alone, never on how many rows there are.
 *
 * gemm_thin_dot: B's columns are contiguous along k (a linear layer's weight [n, k]).  A group of LANES
 *   work-items owns COLUMNS columns of C; vectors of VEC run along k.
 * gemm_thin_sweep: every other B.  A group owns LANES_X * VEC columns; LANES work-items share k.
 * Both walk the rows in blocks of ROWS, so that rows past the first block find B in the cache, and add
 * the lanes' sums in a fixed order.  A_UNIT, B_UNIT: the vector's elements are neighbours in memory.
 * Launch: (groups * lanes, 1, batches).
 * SPDX-License-Identifier: MIT */
#include "gemm.clh"

#ifndef ROWS
#define ROWS 4 /* rows summed together; more reuse of B, more registers */
#endif
#ifndef COLUMNS
#define COLUMNS 2 /* columns of gemm_thin_dot summed together */
#endif
#ifndef LANES_X
#define LANES_X 1 /* work-items side by side along the columns of gemm_thin_sweep */
#endif
#ifndef A_UNIT
#define A_UNIT 1
#endif
#ifndef B_UNIT
#define B_UNIT 1
#endif

/* VEC elements `stride` apart. */
#define DEFINE_GATHER(name, store) \
    static inline floatv name(__global const ELEMENT(store) * p, const long stride) \
    { \
        float part[VEC]; \
        _Pragma("unroll") for (int j = 0; j < VEC; ++j) part[j] = LOAD(store, p, j * stride); \
        return VLOAD_F32(part, 0); \
    }
DEFINE_GATHER(gather_a, A_STORE)
DEFINE_GATHER(gather_b, B_STORE)

#if A_UNIT
#define LOAD_A_VEC(p, i) LOAD_VEC(A_STORE, p, i)
#else
#define LOAD_A_VEC(p, i) gather_a((p) + (long)(i)*a_column, a_column)
#endif

/* The vector's elements, added pairwise. */
static inline float add_across(floatv v)
{
    float part[VEC];
    VSTORE_F32(v, part, 0);
#pragma unroll
    for (int half_width = VEC / 2; half_width >= 1; half_width /= 2) {
#pragma unroll
        for (int j = 0; j < half_width; ++j) part[j] += part[j + half_width];
    }
    return part[0];
}

#define ARGUMENTS \
    TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), END_ARGUMENTS, const int m, const int n, const int k, \
        const int batch1, const float alpha, const long a_row, const long a_column, const long a_batch0, const long a_batch1, \
        const long b_row, const long b_column, const long b_batch0, const long b_batch1, const long c_row, \
        const long c_column, const long c_batch0, const long c_batch1

#define BEGIN \
    const int outer = (int)get_group_id(2) / batch1, inner = (int)get_group_id(2) % batch1; \
    a += a_offset + outer * a_batch0 + inner * a_batch1; \
    b += b_offset + outer * b_batch0 + inner * b_batch1; \
    const long c_first = outer * c_batch0 + inner * c_batch1; \
    END_BEGIN

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void gemm_thin_dot(ARGUMENTS)
{
#if LANES > 1
    __local float parts[ROWS * COLUMNS * LANES];
#endif
    const int lane = (int)get_local_id(0), first = (int)get_group_id(0) * COLUMNS;
    BEGIN;
    __global const ELEMENT(B_STORE) * columns[COLUMNS];
#pragma unroll
    for (int j = 0; j < COLUMNS; ++j) columns[j] = b + min(first + j, n - 1) * b_column;

    for (int top = 0; top < m; top += ROWS) {
        __global const ELEMENT(A_STORE) * rows[ROWS];
        floatv sum[ROWS][COLUMNS];
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            rows[r] = a + min(top + r, m - 1) * a_row;
#pragma unroll
            for (int j = 0; j < COLUMNS; ++j) sum[r][j] = (floatv)(0.0f);
        }
        const int whole = k - k % VEC;
        for (int i = lane * VEC; i < whole; i += LANES * VEC) {
            floatv y[COLUMNS];
#pragma unroll
            for (int j = 0; j < COLUMNS; ++j) y[j] = LOAD_VEC(B_STORE, columns[j], i);
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                const floatv x = LOAD_A_VEC(rows[r], i);
#pragma unroll
                for (int j = 0; j < COLUMNS; ++j) sum[r][j] = MULTIPLY_ADD(x, y[j], sum[r][j]);
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
#pragma unroll
            for (int j = 0; j < COLUMNS; ++j) {
                float total = add_across(sum[r][j]);
                for (int i = whole + lane; i < k; i += LANES)
                    total = MULTIPLY_ADD(LOAD(A_STORE, rows[r], i * a_column), LOAD(B_STORE, columns[j], i),
                                         total);
#if LANES > 1
                parts[(r * COLUMNS + j) * LANES + lane] = total;
#else
                if (top + r < m && first + j < n)
                    FINISH_ELEMENT(total, c_first + (top + r) * c_row + (first + j) * c_column, first + j);
#endif
            }
        }
#if LANES > 1
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int e = lane; e < ROWS * COLUMNS; e += LANES) {
            const int r = e / COLUMNS, j = e % COLUMNS;
            float total = 0.0f;
            for (int l = 0; l < LANES; ++l) total += parts[e * LANES + l];
            if (top + r < m && first + j < n)
                FINISH_ELEMENT(total, c_first + (top + r) * c_row + (first + j) * c_column, first + j);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
    }
}

/* VEC columns of row i of B from column `first`; those past n repeat the last and are never stored. */
static inline floatv sweep_load(__global const ELEMENT(B_STORE) * b, const int first, const int n,
                                const long b_column)
{
#if B_UNIT
    if (first + VEC <= n) return LOAD_VEC(B_STORE, b, first);
#endif
    float part[VEC];
    for (int j = 0; j < VEC; ++j) part[j] = LOAD(B_STORE, b, min(first + j, n - 1) * b_column);
    return VLOAD_F32(part, 0);
}

#define LANES_K (LANES / LANES_X)

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void gemm_thin_sweep(ARGUMENTS)
{
#if LANES > 1
    __local float parts[ROWS * LANES * VEC];
#endif
    const int lane = (int)get_local_id(0), lane_x = lane % LANES_X, lane_k = lane / LANES_X;
    const int group_first = (int)get_group_id(0) * LANES_X * VEC, first = group_first + lane_x * VEC;
    BEGIN;
    for (int top = 0; top < m; top += ROWS) {
        __global const ELEMENT(A_STORE) * rows[ROWS];
        floatv sum[ROWS];
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            rows[r] = a + min(top + r, m - 1) * a_row;
            sum[r] = (floatv)(0.0f);
        }
        for (int i = lane_k; i < k; i += LANES_K) {
            const floatv y = sweep_load(b + i * b_row, first, n, b_column);
#pragma unroll
            for (int r = 0; r < ROWS; ++r)
                sum[r] = MULTIPLY_ADD((floatv)(LOAD(A_STORE, rows[r], i * a_column)), y, sum[r]);
        }
#if LANES > 1
#pragma unroll
        for (int r = 0; r < ROWS; ++r) VSTORE_F32(sum[r], parts, (r * LANES + lane) * VEC);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int e = lane; e < ROWS * LANES_X * VEC; e += LANES) {
            const int r = e / (LANES_X * VEC), j = e % (LANES_X * VEC);
            float total = 0.0f;
            for (int l = 0; l < LANES_K; ++l) total += parts[(r * LANES + l * LANES_X) * VEC + j];
            if (top + r < m && group_first + j < n)
                FINISH_ELEMENT(total, c_first + (top + r) * c_row + (group_first + j) * c_column, group_first + j);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#else
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            float part[VEC];
            VSTORE_F32(sum[r], part, 0);
            for (int j = 0; j < VEC; ++j)
                if (top + r < m && first + j < n)
                    FINISH_ELEMENT(part[j], c_first + (top + r) * c_row + (first + j) * c_column, first + j);
        }
#endif
    }
}

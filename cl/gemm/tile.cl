/* tile.cl -- matrix multiplication for CPU devices; see gemm_tile.clh.
 * SPDX-License-Identifier: MIT */
#include "gemm_tile.clh"

#define END_POINTERS \
    __global ELEMENT(C_STORE) * c, __global const ELEMENT(BIAS_STORE) * bias, \
        __global ELEMENT(C_STORE) * preactivation, __global const ELEMENT(C_STORE) * point, \
        __global const ELEMENT(C_STORE) * residual

#if BIAS
#define BEFORE_END(sum, n) (alpha * ((sum) + LOAD_VEC(BIAS_STORE, bias, n)))
#else
#define BEFORE_END(sum, n) (alpha * (sum))
#endif

/* Ends a tile whose columns are neighbours in memory and all inside C. */
static inline void finish_whole(floatv sum[MR][NV], const int rows, const float alpha, END_POINTERS,
                                const long c_row)
{
#if ACTIVATION_IS_LONG(ACTIVATION) || ACTIVATION_IS_LONG(SLOPE)
    /* So long that it must not be there MR times. */
    floatv each[MR][NV];
    UNROLLED for (int i = 0; i < MR; ++i)
    {
        UNROLLED for (int j = 0; j < NV; ++j) each[i][j] = sum[i][j];
    }
    for (int i = 0; i < min(rows, MR); ++i) {
        UNROLLED for (int j = 0; j < NV; ++j)
        {
            floatv v = BEFORE_END(each[i][j], j * VEC);
            END_VECTOR(v, i * c_row + j * VEC);
            STORE_VEC(C_STORE, v, c, i * c_row + j * VEC);
        }
    }
#else
    /* Everything is read before anything is written: where rows are a power of two apart, a read would wait
     * for the write before it. */
    UNROLLED for (int i = 0; i < MR; ++i)
    {
        if (i < rows) {
            UNROLLED for (int j = 0; j < NV; ++j)
            {
                sum[i][j] = BEFORE_END(sum[i][j], j * VEC);
                END_VECTOR(sum[i][j], i * c_row + j * VEC);
            }
        }
    }
    UNROLLED for (int i = 0; i < MR; ++i)
    {
        if (i < rows) {
            UNROLLED for (int j = 0; j < NV; ++j) STORE_VEC(C_STORE, sum[i][j], c, i * c_row + j * VEC);
        }
    }
#endif
}

static inline void finish_part(floatv sum[MR][NV], const int rows, const int columns, const float alpha,
                               END_POINTERS, const long c_row, const long c_column)
{
    float part[MR * NR];
    UNROLLED for (int i = 0; i < MR; ++i)
    {
        UNROLLED for (int j = 0; j < NV; ++j) VSTORE_F32(sum[i][j], part, i * NR + j * VEC);
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < columns; ++j) FINISH_ELEMENT(part[i * NR + j], i * c_row + j * c_column, j);
}

/* Launch: (groups).  A group takes every (number of groups)-th job; a job is a batch, a block of
 * rows and `column_block` columns.  `rows_given`: lines of places in one picture in a block, for an image;
 * else the number of blocks, among which the tiles are shared out evenly.  k is walked in `pieces` pieces of
 * `piece` for each of the image's runs, or all at once when pieces is 0. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_tile(TENSOR_IN(A_STORE, a), TENSOR_IN(STORE_F32, b), END_ARGUMENTS, TENSOR_OUT(STORE_F32, scratch),
          const int m, const int n, const int k, const int batch1, const float alpha, const long a_row,
          const long a_column, const long a_batch0, const long a_batch1, const long b_batch0, const long b_batch1,
          const long c_row, const long c_column, const long c_batch0, const long c_batch1, const int height,
          const int width, const int channels, const int rows_given, const int column_block, const int pieces,
          const int piece, const int jobs, const int table_size, const int copy_size, const int scratch_size)
{
    __global int *table = (__global int *)(scratch + scratch_offset + (long)get_group_id(0) * scratch_size);
    __global float *copy = (__global float *)table + table_size;
    __global float *sums = copy + copy_size;
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    END_BEGIN;
#if A_KIND == A_IMAGE
    const int line = LINE_PIXELS(width) * channels, segments = A_KERNEL, length = A_KERNEL_X * channels;
    const int down = PLACES_DOWN(A, height), across = PLACES_ACROSS(A, width);
    const int blocks = (down + rows_given - 1) / rows_given, row_blocks = m / (down * across) * blocks;
#else
    const int line = 0, segments = 1, length = k;
    const int row_blocks = rows_given, tiles = (m + MR - 1) / MR;
#endif
    const int column_blocks = (n + column_block - 1) / column_block, sums_stride = column_block;

    for (int job = (int)get_group_id(0); job < jobs; job += (int)get_num_groups(0)) {
        const int batch = job / (row_blocks * column_blocks), within = job % (row_blocks * column_blocks);
        const int outer = batch / batch1, inner = batch % batch1;
        const int first_column = within / row_blocks * column_block;
        const int end_column = min(first_column + column_block, n), block = within % row_blocks;
        __global const ELEMENT(A_STORE) *a_here = a + outer * a_batch0 + inner * a_batch1;
        __global const float *b_here = b + outer * b_batch0 + inner * b_batch1;
#if A_KIND == A_IMAGE
        const int top = block % blocks * rows_given, lines = min(rows_given, down - top);
        const int first_row = (block / blocks * down + top) * across, rows = lines * across;
        copy_lines(copy, a_here + (long)(block / blocks) * height * width * channels, top, lines, height,
                   width, channels, channels);
        for (int r = 0; r < rows + MR; ++r) {
            const int place = min(r, rows - 1);
            table[r] = place / across * (A_STRIDE_Y * line) + place % across * (A_STRIDE_X * channels);
        }
#else
        const int first_row = (int)((long)block * tiles / row_blocks) * MR;
        const int rows = min((int)((long)(block + 1) * tiles / row_blocks) * MR, m) - first_row;
        a_here += first_row * a_row;
#endif
        for (int at = 0; at < (pieces ? pieces * segments : 1); ++at) {
            const int run = pieces ? at / pieces : 0, start = pieces ? at % pieces * piece : 0;
            const int count = pieces ? min(piece, length - start) : length;
            const bool last = !pieces || at == pieces * segments - 1;
#if A_KIND == A_IMAGE
            __global const float *a_block = copy + run * line + start;
#elif A_KIND == A_IN_PLACE
            const int row_stride = (int)a_row;
            __global const float *a_block = a_here + start;
#else
#if A_KIND == A_BY_ROWS
            const int row_stride = count + ROW_PAD;
#endif
            __global const float *a_block = copy;
            copy_block(copy, a_here + start * a_column, a_row, a_column, rows, count);
#endif
            for (int column = first_column; column < end_column; column += NR) {
                __global const float *panel = b_here + ((long)(column / NR) * k + run * length + start) * NR;
                for (int row = 0; row < rows; row += MR) {
                    int offset[MR];
                    UNROLLED for (int i = 0; i < MR; ++i) offset[i] = ROW_OFFSET(row, rows, row_stride, i);
                    __global float *saved = sums + row * sums_stride + (column - first_column) * MR;
                    const long to =
                        outer * c_batch0 + inner * c_batch1 + (first_row + row) * c_row + column * c_column;
                    if (last && c_column == 1) {
                        const int count = min(MR, rows - row), columns = min(NR, n - column);
                        if (SLOPE) fetch_rows(point + to, c_row, count, columns);
                        if (RESIDUAL) fetch_rows(residual + to, c_row, count, columns);
                    }
                    floatv sum[MR][NV];
                    if (at == 0)
                        clear_sums(sum);
                    else
                        load_sums(sum, saved, NR);
                    multiply(sum, A_KIND == A_BY_COLUMNS ? a_block + row * count : a_block, offset,
                             A_KIND == A_BY_COLUMNS ? MR : 1, pieces ? 1 : segments, count, line, panel);
                    if (!last) {
                        save_sums(sum, saved, NR);
                        continue;
                    }
                    if (c_column == 1 && column + NR <= n)
                        finish_whole(sum, rows - row, alpha, c + to, bias + (BIAS ? column : 0),
                                     preactivation + to, point + to, residual + to, c_row);
                    else
                        finish_part(sum, min(MR, rows - row), min(NR, n - column), alpha, c + to,
                                    bias + (BIAS ? column : 0), preactivation + to, point + to, residual + to,
                                    c_row, c_column);
                }
            }
        }
    }
}

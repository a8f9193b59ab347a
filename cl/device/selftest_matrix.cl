/* selftest_matrix.cl -- a product by the fragments of matrix.clh, for the device room's tests.
 * c [2 MATRIX_ROWS, 2 UNITS MATRIX_COLUMNS] = a [rows, depth] b [columns, depth], transposed; 16-bit codes.
 * One group: each of its UNITS does two fragments by two, from tiles in local memory that hold two steps of k
 * at a time and a NaN between rows, where no load may look.
 * Options: MATRIX and what goes with it (matrix.clh); UNITS; COPIES: tiles are filled by matrix_copy.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "matrix.clh"

#ifndef UNITS
#define UNITS 2
#endif
#define ITEMS (UNITS * MATRIX_LANES)
#define ROWS (2 * MATRIX_ROWS)
#define COLUMNS (2 * UNITS * MATRIX_COLUMNS)
#define DEPTH (2 * MATRIX_DEPTH)
#define STRIDE MATRIX_STRIDE(DEPTH)
#define NOTHING 0x7fff /* a NaN of either type */
#ifndef COPIES
#define COPIES 0
#endif

/* The step from `first` on; zeros past the end. */
#if COPIES
#define FILL(tile, from, rows, first, words) fill(tile, from, rows, depth, first, words MATRIX_NOTES_ARGUMENT)
MATRIX_INLINE void fill(__local ushort *tile, __global const ushort *from, const int rows, const int depth,
                        const int first, const int words MATRIX_NOTES)
{
    const int pieces = DEPTH / (2 * words);
    for (int i = (int)get_local_id(0); i < rows * pieces; i += ITEMS) {
        const int row = i / pieces, k = i % pieces * 2 * words;
        matrix_copy(tile + row * STRIDE + k, from + (long)row * depth + first + k, words,
                    first + k < depth MATRIX_NOTES_ARGUMENT);
    }
    for (int i = (int)get_local_id(0); i < rows * (STRIDE - DEPTH); i += ITEMS)
        tile[i / (STRIDE - DEPTH) * STRIDE + DEPTH + i % (STRIDE - DEPTH)] = (ushort)NOTHING;
}
#else
#define FILL(tile, from, rows, first, words) fill(tile, from, rows, depth, first)
MATRIX_INLINE void fill(__local ushort *tile, __global const ushort *from, const int rows, const int depth, const int first)
{
    for (int i = (int)get_local_id(0); i < rows * STRIDE; i += ITEMS) {
        const int row = i / STRIDE, k = i % STRIDE;
        tile[i] = k >= DEPTH ? (ushort)NOTHING : first + k < depth ? from[(long)row * depth + first + k] : (ushort)0;
    }
}
#endif

MATRIX_ATTRIBUTE __kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
selftest_matrix(TENSOR_OUT(STORE_F32, c), TENSOR_IN(STORE_BF16, a), TENSOR_IN(STORE_BF16, b), const int depth)
{
    TENSOR_BEGIN(c);
    TENSOR_BEGIN(a);
    TENSOR_BEGIN(b);
    __local ushort rows[ROWS * STRIDE] __attribute__((aligned(16)));
    __local ushort columns[COLUMNS * STRIDE] __attribute__((aligned(16)));
    MATRIX_SCRATCH_DECLARE(UNITS);
#if COPIES
    MATRIX_NOTES_DECLARE;
#endif
    const int lane = (int)get_local_id(0) % MATRIX_LANES;
    const int first = (int)get_local_id(0) / MATRIX_LANES * 2 * MATRIX_COLUMNS;
    matrix_sums sums[2][2];
    MATRIX_UNROLLED for (int i = 0; i < 4 * MATRIX_SUMS; ++i)
        sums[i / MATRIX_SUMS / 2][i / MATRIX_SUMS % 2].at[i % MATRIX_SUMS] = 0.0f;
    for (int k = 0; k < depth; k += DEPTH) {
        FILL(rows, a, ROWS, k, 4);
        FILL(columns, b, COLUMNS, k, 2);
#if COPIES
        matrix_copies_wait(0 MATRIX_NOTES_ARGUMENT);
#endif
        barrier(CLK_LOCAL_MEM_FENCE);
        MATRIX_UNROLLED for (int part = 0; part < DEPTH; part += MATRIX_DEPTH) {
            matrix_a up[2];
            matrix_b left[2];
            MATRIX_UNROLLED for (int i = 0; i < 2; ++i) {
                up[i] = matrix_load_a(rows + i * MATRIX_ROWS * STRIDE + part, STRIDE, lane);
                left[i] = matrix_load_b(columns + (first + i * MATRIX_COLUMNS) * STRIDE + part, STRIDE, lane);
            }
            MATRIX_UNROLLED for (int m = 0; m < 2; ++m)
                MATRIX_UNROLLED for (int n = 0; n < 2; ++n)
                    matrix_multiply(&sums[m][n], up[m], left[n] MATRIX_SCRATCH_ARGUMENT);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    MATRIX_UNROLLED for (int m = 0; m < 2; ++m)
        MATRIX_UNROLLED for (int n = 0; n < 2; ++n)
            MATRIX_UNROLLED for (int i = 0; i < MATRIX_SUMS; ++i) {
                const int row = m * MATRIX_ROWS + matrix_row(lane, i);
                c[row * COLUMNS + first + n * MATRIX_COLUMNS + matrix_column(lane, i)] = sums[m][n].at[i];
            }
}

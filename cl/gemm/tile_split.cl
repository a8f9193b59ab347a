/* tile_split.cl -- matrix multiplication with the work split along k; see gemm_tile.clh.
 * SPDX-License-Identifier: MIT */
#include "gemm_tile.clh"

/* Launch: (row blocks, parts, batches).  Part p takes units p*U/P .. (p+1)*U/P of k; a unit is `unit`
 * lines of places in one picture, or `unit` of k.  partial: [batch][part][m rounded up to MR][n rounded up to
 * NR], each register tile in one piece. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_tile_split(TENSOR_IN(A_STORE, a), TENSOR_IN(B_STORE, b), TENSOR_OUT(STORE_F32, partial),
                TENSOR_OUT(STORE_F32, scratch), const int m, const int n, const int k, const int batch1,
                const long a_row, const long a_column, const long a_batch0, const long a_batch1,
                const long b_row, const long b_column, const long b_batch0, const long b_batch1,
                const int height, const int width, const int channels, const int pixel, const int row_block,
                const int unit, const int units, const int table_size, const int copy_size,
                const int scratch_size)
{
    const int part = (int)get_group_id(1), parts = (int)get_num_groups(1), batch = (int)get_group_id(2);
    const int outer = batch / batch1, inner = batch % batch1;
    const long group = ((long)batch * parts + part) * get_num_groups(0) + get_group_id(0);
    __global int *table = (__global int *)(scratch + scratch_offset + group * scratch_size);
    __global float *copy = (__global float *)table + table_size;
    __global float *packed = copy + copy_size;
    const int first_row = (int)get_group_id(0) * row_block, rows = min(row_block, m - first_row);
    const int panel_count = (n + NR - 1) / NR;
    a += a_offset + outer * a_batch0 + inner * a_batch1;
    b += b_offset + outer * b_batch0 + inner * b_batch1;
    partial += partial_offset +
               (((long)batch * parts + part) * ((m + MR - 1) / MR * MR) + first_row) * panel_count * NR;
#if A_KIND == A_IMAGE
    const int line = LINE_PIXELS(width) * pixel;
    const int down = PLACES_DOWN(A, height), across = PLACES_ACROSS(A, width), blocks = (down + unit - 1) / unit;
    for (int r = 0; r < rows + MR; ++r) {
        const int tap = first_row + min(r, rows - 1), run = A_KERNEL_X * channels;
        table[r] = tap / run * line + tap % run / channels * pixel + tap % channels;
    }
#endif
    const int begin = (int)((long)units * part / parts), end = (int)((long)units * (part + 1) / parts);
    for (int u = begin; u < end; ++u) {
#if A_KIND == A_IMAGE
        const int top = u % blocks * unit, segments = min(unit, down - top), length = across;
        const int first = (u / blocks * down + top) * across, count = segments * across, step = A_STRIDE_X * pixel;
        __global const float *a_unit = copy;
        copy_lines(copy, a + (long)(u / blocks) * height * width * channels, top, segments, height, width,
                   channels, pixel);
#else
        const int first = u * unit, count = min(unit, k - first), line = 0, segments = 1, length = count;
#if A_KIND == A_LINES
        const int step = (int)a_column;
        __global const float *a_unit = a + first_row + first * a_column;
#else
        const int step = A_KIND == A_BY_COLUMNS ? MR : 1;
        __global const float *a_unit = copy;
        copy_block(copy, a + first_row * a_row + first * a_column, a_row, a_column, rows, count);
#endif
#endif
        for (int p = 0; p < panel_count; ++p) {
#if B_LINES
            __global const float *panel = b + first * b_row + p * NR;
            const int b_step = (int)b_row;
            (void)packed;
#else
            __global const float *panel = packed;
            const int b_step = NR;
            pack_panel(packed, b, b_row, b_column, first, count, p * NR, n);
#endif
            for (int row = 0; row < rows; row += MR) {
                int offset[MR];
                UNROLLED for (int i = 0; i < MR; ++i) offset[i] = ROW_OFFSET(row, rows, count + ROW_PAD, i);
                __global float *saved = partial + ((long)row * panel_count + p * MR) * NR;
                floatv sum[MR][NV];
                if (u == begin)
                    clear_sums(sum);
                else
                    load_sums(sum, saved, NR);
                multiply_by(sum, A_KIND == A_BY_COLUMNS ? a_unit + row * count : a_unit, offset, step, segments,
                            length, A_STRIDE_Y * line, panel, b_step);
                save_sums(sum, saved, NR);
            }
        }
    }
}

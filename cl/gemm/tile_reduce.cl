/* tile_reduce.cl -- adds what tile_split.cl left; see gemm_tile.clh.
 * SPDX-License-Identifier: MIT */
#include "gemm_tile.clh"

/* Launch: (columns, blocks of rows, batches), any size of group.  Ends C from the parts of gemm_tile_split.
 * Where C's neighbours are along its rows' axis (a turned product), an item has many rows and writes along
 * them. */
__kernel void gemm_tile_reduce(END_ARGUMENTS, TENSOR_IN(STORE_F32, partial), const int m, const int n,
                               const int parts, const int batch1, const int row_block, const float alpha,
                               const long c_row, const long c_column, const long c_batch0, const long c_batch1)
{
    const int first = (int)get_global_id(0) * NR, batch = (int)get_global_id(2);
    const int top = (int)get_global_id(1) * row_block, end = min(top + row_block, m);
    const long rows = (m + MR - 1) / MR * MR, panels = (n + NR - 1) / NR, part = rows * panels * NR;
    END_BEGIN;
    partial += partial_offset + batch * parts * part + first / NR * MR * NR;
    const long from = batch / batch1 * c_batch0 + batch % batch1 * c_batch1;
    for (int j = 0; j < min(NR, n - first); ++j)
        for (int row = top; row < end; ++row) {
            __global const float *sums = partial + (row / MR * panels * MR + row % MR) * NR + j;
            float sum = 0.0f;
            for (int p = 0; p < parts; ++p) sum += sums[p * part];
            FINISH_ELEMENT(sum, from + row * c_row + (first + j) * c_column, SWAPPED ? row : first + j);
        }
}

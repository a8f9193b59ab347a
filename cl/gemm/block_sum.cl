/* block_sum.cl -- adds the parts of k that block.cl left, in their order, and ends the elements of C.
 * partial: [batch][part][m][n].  Launch: (n, m, batches), groups of GROUP along n.
 * SPDX-License-Identifier: MIT */
#include "gemm.clh"

#ifndef GROUP
#define GROUP 1
#endif
#ifndef SWAPPED
#define SWAPPED 0 /* rows here are columns of C */
#endif

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
gemm_block_sum(END_ARGUMENTS, TENSOR_IN(STORE_F32, partial), const int m, const int n, const int parts,
               const int batch1, const float alpha, const long c_row, const long c_column, const long c_batch0,
               const long c_batch1)
{
    const int column = (int)get_global_id(0), row = (int)get_global_id(1), batch = (int)get_global_id(2);
    END_BEGIN;
    if (column >= n) return;
    partial += partial_offset + ((long)batch * parts * m + row) * n + column;
    float sum = 0.0f;
    for (int i = 0; i < parts; ++i) sum += partial[(long)i * m * n];
    const long at = batch / batch1 * c_batch0 + batch % batch1 * c_batch1 + row * c_row + column * c_column;
    FINISH_ELEMENT(sum, at, SWAPPED ? row : column);
}

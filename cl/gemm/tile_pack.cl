/* tile_pack.cl -- makes panels of B for tile.cl; see gemm_tile.clh.
 * SPDX-License-Identifier: MIT */
#include "gemm_tile.clh"

/* Launch: (panels, blocks of k, distinct batches).  packed: [batch][panel][k][NR]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_tile_pack(TENSOR_IN(B_STORE, b), TENSOR_OUT(STORE_F32, packed), const int n, const int k,
               const int k_block, const int batch1, const long b_row, const long b_column,
               const long b_batch0, const long b_batch1)
{
    const int panel = (int)get_group_id(0), batch = (int)get_group_id(2);
    const int first = (int)get_group_id(1) * k_block, count = min(k_block, k - first);
    b += b_offset + batch / batch1 * b_batch0 + batch % batch1 * b_batch1;
    packed += packed_offset + (((long)batch * get_num_groups(0) + panel) * k + first) * NR;
    pack_panel(packed, b, b_row, b_column, first, count, panel * NR, n);
}

/* code_statistics.cl -- counts and sums of the rows of z [rows, columns] assigned to each code; a work-group
 * owns one code and adds the rows that sort_ids listed for it, in their order.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "reduce.clh"
#include "sort_ids.clh"

#ifndef COUNTS_STORE
#define COUNTS_STORE STORE_F32
#endif
#ifndef SUMS_STORE
#define SUMS_STORE STORE_F32
#endif
#ifndef Z_STORE
#define Z_STORE STORE_F32
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void code_statistics(TENSOR_OUT(COUNTS_STORE, counts), TENSOR_OUT(SUMS_STORE, sums), TENSOR_IN(Z_STORE, z),
                     TENSOR_IN(SCRATCH_STORE, scratch), const int codes, const int columns)
{
    TENSOR_BEGIN(counts);
    TENSOR_BEGIN(z);
    TENSOR_BEGIN(scratch);
    __global const int *start = (__global const int *)scratch, *order = start + codes + 1;
    const int code = (int)get_group_id(0), first = start[code], end = start[code + 1];
    sums += sums_offset + (long)code * columns;
    if (get_local_id(0) == 0) STORE(COUNTS_STORE, convert_float(end - first), counts, code);
    FOR_ROW_VECTORS(i, columns)
    {
        floatv sum = (floatv)(0.0f);
        for (int r = first; r < end; ++r) sum += LOAD_VEC(Z_STORE, z, (long)order[r] * columns + i);
        STORE_VEC(SUMS_STORE, sum, sums, i);
    }
    FOR_ROW_REST(i, columns)
    {
        float sum = 0.0f;
        for (int r = first; r < end; ++r) sum += LOAD(Z_STORE, z, (long)order[r] * columns + i);
        STORE(SUMS_STORE, sum, sums, i);
    }
}

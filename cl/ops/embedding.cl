/* embedding.cl -- rows of a table [count, columns] by id, and the table's gradient.
 * Forward: a work-group owns one row of y.  Backward: a work-group owns one row of the table and adds the
 * rows of dy that sort_ids listed for it, in their order, in float.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "reduce.clh"
#include "sort_ids.clh"

#ifndef TABLE_STORE
#define TABLE_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void embedding_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(TABLE_STORE, table), TENSOR_IN(IDS_STORE, ids),
                       const int count, const int columns)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(table);
    TENSOR_BEGIN(ids);
    const int row = (int)get_group_id(0), id = ids[row];
    const bool inside = id >= 0 && id < count;
    y += (long)row * columns;
    table += (long)(inside ? id : 0) * columns;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv v = LOAD_VEC(TABLE_STORE, table, i);
        STORE_VEC(Y_STORE, inside ? v : (floatv)(NAN), y, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float v = LOAD(TABLE_STORE, table, i);
        STORE(Y_STORE, inside ? v : NAN, y, i);
    }
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void embedding_backward(TENSOR_OUT(TABLE_STORE, dtable), TENSOR_IN(Y_STORE, dy), TENSOR_IN(SCRATCH_STORE, scratch),
                        const int count, const int columns)
{
    TENSOR_BEGIN(dtable);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(scratch);
    __global const int *start = (__global const int *)scratch, *order = start + count + 1;
    const int id = (int)get_group_id(0), first = start[id], end = start[id + 1];
    dtable += (long)id * columns;
    FOR_ROW_VECTORS(i, columns)
    {
        floatv sum = (floatv)(0.0f);
        for (int r = first; r < end; ++r) sum += LOAD_VEC(Y_STORE, dy, (long)order[r] * columns + i);
        STORE_VEC(TABLE_STORE, sum, dtable, i);
    }
    FOR_ROW_REST(i, columns)
    {
        float sum = 0.0f;
        for (int r = first; r < end; ++r) sum += LOAD(Y_STORE, dy, (long)order[r] * columns + i);
        STORE(TABLE_STORE, sum, dtable, i);
    }
}

/* embedding.cl -- rows of a table [count, columns] by id, or sums of the rows of up to three tables; and a
 * table's gradient.  Forward: a work-group owns one row of y; the second and third table's ids repeat after
 * `period` rows. Backward: a work-group owns one row of the table and adds the rows of dy that sort_ids
 * listed for it, in their order, in float.
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
#ifndef TERMS
#define TERMS 1
#endif

/* Where a term's row begins; `inside` becomes false if there is none. */
static inline long row_of(const int id, const int count, const int columns, bool *inside)
{
    const bool has = id >= 0 && id < count;
    *inside = *inside && has;
    return has ? (long)id * columns : 0;
}

/* The first term is added last: the others are a token's place, which is added to the token. */
#if TERMS == 1
#define SUM(load, i) load(TABLE_STORE, table0, i)
#elif TERMS == 2
#define SUM(load, i) (load(TABLE_STORE, table0, i) + load(TABLE_STORE, table1, i))
#else
#define SUM(load, i) \
    (load(TABLE_STORE, table0, i) + (load(TABLE_STORE, table1, i) + load(TABLE_STORE, table2, i)))
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void embedding_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(TABLE_STORE, table0), TENSOR_IN(TABLE_STORE, table1),
                       TENSOR_IN(TABLE_STORE, table2), TENSOR_IN(IDS_STORE, ids0), TENSOR_IN(IDS_STORE, ids1),
                       TENSOR_IN(IDS_STORE, ids2), const int count0, const int count1, const int count2,
                       const int period, const int columns)
{
    TENSOR_BEGIN(y);
    const int row = (int)get_group_id(0);
    bool inside = true;
    table0 += table0_offset + row_of(ids0[ids0_offset + row], count0, columns, &inside);
#if TERMS > 1
    table1 += table1_offset + row_of(ids1[ids1_offset + row % period], count1, columns, &inside);
#endif
#if TERMS > 2
    table2 += table2_offset + row_of(ids2[ids2_offset + row % period], count2, columns, &inside);
#endif
    y += (long)row * columns;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv v = SUM(LOAD_VEC, i);
        STORE_VEC(Y_STORE, inside ? v : (floatv)(NAN), y, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float v = SUM(LOAD, i);
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

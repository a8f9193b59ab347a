/* embedding_padded.cl -- rows of a table by id, or of `padding` [tokens, columns] where the id is negative.
 * Forward: a work-group owns one row of y.  Backward: one row of dpadding, summed over the batch in order.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "reduce.clh"

#ifndef TABLE_STORE
#define TABLE_STORE STORE_F32
#endif
#ifndef PADDING_STORE
#define PADDING_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef IDS_STORE
#define IDS_STORE STORE_I32
#endif

/* The table and the padding have the same type: infer asks for it. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void embedding_padded_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(TABLE_STORE, table),
                              TENSOR_IN(TABLE_STORE, padding), TENSOR_IN(IDS_STORE, ids), const int count,
                              const int tokens, const int columns)
{
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(table);
    TENSOR_BEGIN(padding);
    TENSOR_BEGIN(ids);
    const int row = (int)get_group_id(0), id = ids[row];
    const bool inside = id < count;
    __global const ELEMENT(TABLE_STORE) *from =
        id < 0 ? padding + (long)(row % tokens) * columns : table + (long)(inside ? id : 0) * columns;
    y += (long)row * columns;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv v = LOAD_VEC(TABLE_STORE, from, i);
        STORE_VEC(Y_STORE, inside ? v : (floatv)(NAN), y, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float v = LOAD(TABLE_STORE, from, i);
        STORE(Y_STORE, inside ? v : NAN, y, i);
    }
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void embedding_padded_backward(TENSOR_OUT(PADDING_STORE, dpadding), TENSOR_IN(Y_STORE, dy),
                               TENSOR_IN(IDS_STORE, ids), const int batch, const int tokens, const int columns)
{
    TENSOR_BEGIN(dpadding);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(ids);
    const int t = (int)get_group_id(0);
    dpadding += (long)t * columns;
    FOR_ROW_VECTORS(i, columns)
    {
        floatv sum = (floatv)(0.0f);
        for (int b = 0; b < batch; ++b) {
            const long row = (long)b * tokens + t;
            if (ids[row] < 0) sum += LOAD_VEC(Y_STORE, dy, row * columns + i);
        }
        STORE_VEC(PADDING_STORE, sum, dpadding, i);
    }
    FOR_ROW_REST(i, columns)
    {
        float sum = 0.0f;
        for (int b = 0; b < batch; ++b) {
            const long row = (long)b * tokens + t;
            if (ids[row] < 0) sum += LOAD(Y_STORE, dy, row * columns + i);
        }
        STORE(PADDING_STORE, sum, dpadding, i);
    }
}

/* sum_squares.cl -- sums of squares in two steps: each work-group adds up one stretch of a tensor into
 * `parts`, then one work-group adds the parts, and the total so far, in order.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "reduce.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef PARTS_STORE
#define PARTS_STORE STORE_F32
#endif
#ifndef BEFORE_STORE
#define BEFORE_STORE STORE_F32
#endif
#ifndef CHAINED
#define CHAINED 0
#endif
#ifndef ZEROS
#define ZEROS 0 /* count elements that are 0 */
#endif

#if ZEROS
#define TERM(v) ((v) == 0.0f ? 1.0f : 0.0f)
#if VEC == 1
#define TERMS(v) TERM(v)
#else
#define TERMS(v) (-CONVERT_FLOATV((v) == 0.0f)) /* true is -1 */
#endif
#else
#define TERM(v) ((v) * (v))
#define TERMS(v) ((v) * (v))
#endif

/* parts[place + group] = sum of squares of elements group stretch .. of x. */
__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_squares_parts(TENSOR_OUT(PARTS_STORE, parts), TENSOR_IN(X_STORE, x), const int place, const int count,
                       const int stretch)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(parts);
    const int group = (int)get_group_id(0);
    const int own = clamp(count - group * stretch, 0, stretch);
    x += x_offset + (long)group * stretch;
    floatv sum = (floatv)(0.0f);
    float rest = 0.0f;
    FOR_ROW_VECTORS(i, own)
    {
        const floatv v = LOAD_VEC(X_STORE, x, i);
        sum += TERMS(v);
    }
    FOR_ROW_REST(i, own)
    {
        const float v = LOAD(X_STORE, x, i);
        rest += TERM(v);
    }
    const float total = reduce_sum(vector_sum(sum) + rest, scratch);
    if (get_local_id(0) == 0) parts[place + group] = total;
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_squares_total(TENSOR_OUT(Y_STORE, y), TENSOR_IN(PARTS_STORE, parts),
#if CHAINED
                       TENSOR_IN(BEFORE_STORE, before),
#endif
                       const int count)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(parts);
    float sum = 0.0f;
    for (int i = (int)get_local_id(0); i < count; i += LANES) sum += parts[i];
    const float total = reduce_sum(sum, scratch);
    if (get_local_id(0) == 0) {
#if CHAINED
        STORE(Y_STORE, total + LOAD(BEFORE_STORE, before, before_offset), y, y_offset);
#else
        STORE(Y_STORE, total, y, y_offset);
#endif
    }
}

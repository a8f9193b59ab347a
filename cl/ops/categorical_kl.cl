/* categorical_kl.cl -- KL(softmax(x) || uniform) per row, and its gradient; a work-group owns one row.
 * log_columns = ln(columns).
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "reduce.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef KL_STORE
#define KL_STORE STORE_F32
#endif
#ifndef LSE_STORE
#define LSE_STORE STORE_F32
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void categorical_kl_forward(TENSOR_OUT(KL_STORE, kl), TENSOR_OUT(LSE_STORE, lse), TENSOR_IN(X_STORE, x),
                            const int columns, const float log_columns)
{
    REDUCE_DECLARE(scratch);
    const int row = (int)get_group_id(0);
    x += x_offset + (long)row * columns;

    floatv most = (floatv)(-INFINITY);
    float rest = -INFINITY;
    FOR_ROW_VECTORS(i, columns) most = fmax(most, LOAD_VEC(X_STORE, x, i));
    FOR_ROW_REST(i, columns) rest = fmax(rest, LOAD(X_STORE, x, i));
    const float top = reduce_max(fmax(vector_max(most), rest), scratch);

    /* sum e^d and sum e^d d with d = x - top; e^d d is 0 where d is -inf. */
    floatv sum = (floatv)(0.0f), moment = (floatv)(0.0f);
    float sum_rest = 0.0f, moment_rest = 0.0f;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv d = fmax(LOAD_VEC(X_STORE, x, i) - top, (floatv)(-200.0f)), e = exp(d);
        sum += e;
        moment += e * d;
    }
    FOR_ROW_REST(i, columns)
    {
        const float d = fmax(LOAD(X_STORE, x, i) - top, -200.0f), e = exp(d);
        sum_rest += e;
        moment_rest += e * d;
    }
    const float total = reduce_sum(vector_sum(sum) + sum_rest, scratch);
    const float total_moment = reduce_sum(vector_sum(moment) + moment_rest, scratch);
    if (get_local_id(0) == 0) {
        const float log_sum = log(total);
        STORE(KL_STORE, (log_columns - log_sum) + total_moment / total, kl, kl_offset + row);
        STORE(LSE_STORE, top + log_sum, lse, lse_offset + row);
    }
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void categorical_kl_backward(TENSOR_OUT(X_STORE, dx), TENSOR_IN(X_STORE, x), TENSOR_IN(KL_STORE, kl),
                             TENSOR_IN(LSE_STORE, lse), TENSOR_IN(KL_STORE, dkl), const int columns,
                             const float log_columns)
{
    const int row = (int)get_group_id(0);
    dx += dx_offset + (long)row * columns;
    x += x_offset + (long)row * columns;
    const float total = LOAD(LSE_STORE, lse, lse_offset + row);
    const float mean = LOAD(KL_STORE, kl, kl_offset + row) - log_columns; /* sum p ln p */
    const float scale = LOAD(KL_STORE, dkl, dkl_offset + row);
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv log_p = fmax(LOAD_VEC(X_STORE, x, i) - total, (floatv)(-200.0f));
        STORE_VEC(X_STORE, exp(log_p) * (log_p - mean) * scale, dx, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float log_p = fmax(LOAD(X_STORE, x, i) - total, -200.0f);
        STORE(X_STORE, exp(log_p) * (log_p - mean) * scale, dx, i);
    }
}

/* cross_entropy.cl -- -ln softmax(x)[target] per row, and its gradient; a work-group owns one row.
 * A negative target gives loss 0 and gradient 0; one past the row gives NaN.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "reduce.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef LOSS_STORE
#define LOSS_STORE STORE_F32
#endif
#ifndef LSE_STORE
#define LSE_STORE STORE_F32
#endif
#ifndef TARGETS_STORE
#define TARGETS_STORE STORE_I32
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void cross_entropy_forward(TENSOR_OUT(LOSS_STORE, loss), TENSOR_OUT(LSE_STORE, lse), TENSOR_IN(X_STORE, x),
                           TENSOR_IN(TARGETS_STORE, targets), const int columns)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(loss);
    TENSOR_BEGIN(lse);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(targets);
    const int row = (int)get_group_id(0), target = targets[row];
    x += (long)row * columns;

    floatv most = (floatv)(-INFINITY);
    float rest = -INFINITY;
    FOR_ROW_VECTORS(i, columns) most = fmax(most, LOAD_VEC(X_STORE, x, i));
    FOR_ROW_REST(i, columns) rest = fmax(rest, LOAD(X_STORE, x, i));
    const float top = reduce_max(fmax(vector_max(most), rest), scratch);

    floatv sum = (floatv)(0.0f);
    rest = 0.0f;
    FOR_ROW_VECTORS(i, columns) sum += exp(LOAD_VEC(X_STORE, x, i) - top);
    FOR_ROW_REST(i, columns) rest += exp(LOAD(X_STORE, x, i) - top);
    const float log_sum = log(reduce_sum(vector_sum(sum) + rest, scratch));

    if (get_local_id(0) == 0) {
        /* top - x first: near a certain prediction both are large and the loss is small. */
        float value = 0.0f;
        if (target >= columns) value = NAN;
        else if (target >= 0) value = log_sum + (top - LOAD(X_STORE, x, target));
        STORE(LOSS_STORE, value, loss, row);
        STORE(LSE_STORE, top + log_sum, lse, row);
    }
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void cross_entropy_backward(TENSOR_OUT(X_STORE, dx), TENSOR_IN(X_STORE, x), TENSOR_IN(TARGETS_STORE, targets),
                            TENSOR_IN(LSE_STORE, lse), TENSOR_IN(LOSS_STORE, dloss), const int columns)
{
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(targets);
    TENSOR_BEGIN(lse);
    TENSOR_BEGIN(dloss);
    const int row = (int)get_group_id(0), target = targets[row];
    const float total = LOAD(LSE_STORE, lse, row);
    const float scale = target < 0 ? 0.0f : LOAD(LOSS_STORE, dloss, row);
    x += (long)row * columns;
    dx += (long)row * columns;
    /* The vector that holds the target is left to the one-by-one loop, so that nothing is written twice. */
    const int apart = target < 0 ? -VEC : target / VEC * VEC;
    FOR_ROW_VECTORS(i, columns)
    {
        if (target < 0) {
            STORE_VEC(X_STORE, (floatv)(0.0f), dx, i);
        } else if (i != apart) {
            STORE_VEC(X_STORE, exp(LOAD_VEC(X_STORE, x, i) - total) * scale, dx, i);
        } else {
            for (int j = i; j < i + VEC; ++j) {
                const float v = exp(LOAD(X_STORE, x, j) - total) - (j == target ? 1.0f : 0.0f);
                STORE(X_STORE, v * scale, dx, j);
            }
        }
    }
    FOR_ROW_REST(i, columns)
    {
        const float v = exp(LOAD(X_STORE, x, i) - total) - (i == target ? 1.0f : 0.0f);
        STORE(X_STORE, target < 0 ? 0.0f : v * scale, dx, i);
    }
}

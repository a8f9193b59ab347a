/* layer_norm.cl -- y = gain (x - mean) rstd + bias along the last axis, and its gradients.
 * Forward and dx: one group a row.  Options: X_STORE, Y_STORE (of y or dx), DY_STORE, GAIN_STORE,
 * BIAS_STORE; VECTORS: vectors of columns that one work-item of layer_norm_vectors owns.
 * SPDX-License-Identifier: MIT */
#include "reduce.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#include "row_statistics.clh"
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef DY_STORE
#define DY_STORE STORE_F32
#endif
#ifndef GAIN_STORE
#define GAIN_STORE STORE_F32
#endif
#ifndef BIAS_STORE
#define BIAS_STORE STORE_F32
#endif
#ifndef VECTORS
#define VECTORS 1
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void layer_norm_forward(TENSOR_OUT(Y_STORE, y), TENSOR_OUT(STORE_F32, mean), TENSOR_OUT(STORE_F32, rstd),
                        TENSOR_IN(X_STORE, x), TENSOR_IN(GAIN_STORE, gain), TENSOR_IN(BIAS_STORE, bias),
                        const float epsilon, const int columns)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(y);
    TENSOR_BEGIN(mean);
    TENSOR_BEGIN(rstd);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(gain);
    TENSOR_BEGIN(bias);
    const int row = (int)get_group_id(0);
    x += (long)row * columns;
    y += (long)row * columns;

    const float2 statistics = row_statistics(x, columns, epsilon PASS_SCRATCH(scratch));
    const float middle = statistics.x, scale = statistics.y;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv xhat = (LOAD_VEC(X_STORE, x, i) - middle) * scale;
        STORE_VEC(Y_STORE, LOAD_VEC(GAIN_STORE, gain, i) * xhat + LOAD_VEC(BIAS_STORE, bias, i), y, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float xhat = (LOAD(X_STORE, x, i) - middle) * scale;
        STORE(Y_STORE, LOAD(GAIN_STORE, gain, i) * xhat + LOAD(BIAS_STORE, bias, i), y, i);
    }
    if (get_local_id(0) == 0) {
        mean[row] = middle;
        rstd[row] = scale;
    }
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void layer_norm_backward(TENSOR_OUT(Y_STORE, dx), TENSOR_IN(DY_STORE, dy), TENSOR_IN(X_STORE, x),
                         TENSOR_IN(STORE_F32, mean), TENSOR_IN(STORE_F32, rstd), TENSOR_IN(GAIN_STORE, gain),
                         const int columns)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(dx);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(mean);
    TENSOR_BEGIN(rstd);
    TENSOR_BEGIN(gain);
    const int row = (int)get_group_id(0);
    dx += (long)row * columns;
    dy += (long)row * columns;
    x += (long)row * columns;
    const float middle = mean[row], scale = rstd[row];

    floatv sum = 0.0f, dot = 0.0f;
    float rest_sum = 0.0f, rest_dot = 0.0f;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv g = LOAD_VEC(GAIN_STORE, gain, i) * LOAD_VEC(DY_STORE, dy, i);
        sum += g;
        dot += g * (LOAD_VEC(X_STORE, x, i) - middle);
    }
    FOR_ROW_REST(i, columns)
    {
        const float g = LOAD(GAIN_STORE, gain, i) * LOAD(DY_STORE, dy, i);
        rest_sum += g;
        rest_dot += g * (LOAD(X_STORE, x, i) - middle);
    }
    const float mean_g = reduce_sum(vector_sum(sum) + rest_sum, scratch) / (float)columns;
    const float mean_gx = reduce_sum(vector_sum(dot) + rest_dot, scratch) * scale / (float)columns;

    FOR_ROW_VECTORS(i, columns)
    {
        const floatv g = LOAD_VEC(GAIN_STORE, gain, i) * LOAD_VEC(DY_STORE, dy, i);
        const floatv xhat = (LOAD_VEC(X_STORE, x, i) - middle) * scale;
        STORE_VEC(Y_STORE, scale * (g - mean_g - xhat * mean_gx), dx, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float g = LOAD(GAIN_STORE, gain, i) * LOAD(DY_STORE, dy, i);
        const float xhat = (LOAD(X_STORE, x, i) - middle) * scale;
        STORE(Y_STORE, scale * (g - mean_g - xhat * mean_gx), dx, i);
    }
}

/* part[k, 0, c] = sum of dy xhat and part[k, 1, c] = sum of dy over the rows of stretch k.  One work-item
 * owns VECTORS * VEC columns of one stretch. */
__kernel void layer_norm_vectors(TENSOR_OUT(STORE_F32, part), TENSOR_IN(DY_STORE, dy), TENSOR_IN(X_STORE, x),
                                 TENSOR_IN(STORE_F32, mean), TENSOR_IN(STORE_F32, rstd), const int rows,
                                 const int columns, const int stretch, const int blocks, const int chunks)
{
    TENSOR_BEGIN(part);
    TENSOR_BEGIN(dy);
    TENSOR_BEGIN(x);
    TENSOR_BEGIN(mean);
    TENSOR_BEGIN(rstd);
    const int item = (int)get_global_id(0), chunk = item / blocks;
    if (chunk >= chunks) return;
    int c = (item - chunk * blocks) * VECTORS * VEC;
    const int last = min(columns, c + VECTORS * VEC);
    const int begin = chunk * stretch, end = min(rows, begin + stretch);
    part += (long)chunk * 2 * columns;
    for (; c + VEC <= last; c += VEC) {
        floatv gain = 0.0f, bias = 0.0f;
        for (int r = begin; r < end; ++r) {
            const long at = (long)r * columns + c;
            const floatv g = LOAD_VEC(DY_STORE, dy, at);
            gain += g * ((LOAD_VEC(X_STORE, x, at) - mean[r]) * rstd[r]);
            bias += g;
        }
        VSTORE_F32(gain, part, c);
        VSTORE_F32(bias, part, columns + c);
    }
    for (; c < last; ++c) {
        float gain = 0.0f, bias = 0.0f;
        for (int r = begin; r < end; ++r) {
            const long at = (long)r * columns + c;
            const float g = LOAD(DY_STORE, dy, at);
            gain += g * ((LOAD(X_STORE, x, at) - mean[r]) * rstd[r]);
            bias += g;
        }
        part[c] = gain;
        part[columns + c] = bias;
    }
}

/* The stretches, in order.  One work-item a column. */
__kernel void layer_norm_vectors_finish(TENSOR_OUT(GAIN_STORE, gain), TENSOR_OUT(BIAS_STORE, bias),
                                        TENSOR_IN(STORE_F32, part), const int columns, const int chunks)
{
    TENSOR_BEGIN(gain);
    TENSOR_BEGIN(bias);
    TENSOR_BEGIN(part);
    const int c = (int)get_global_id(0);
    if (c >= columns) return;
    float sum_gain = 0.0f, sum_bias = 0.0f;
    for (int k = 0; k < chunks; ++k) {
        sum_gain += part[(long)k * 2 * columns + c];
        sum_bias += part[((long)k * 2 + 1) * columns + c];
    }
    STORE(GAIN_STORE, sum_gain, gain, c);
    STORE(BIAS_STORE, sum_bias, bias, c);
}

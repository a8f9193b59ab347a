/* gumbel_softmax.cl -- y = softmax((x - ln(-ln u)) / tau) per row, and its gradient; a work-group owns a row.
 * KEEP: y is float, so the noisy logits wait there between the passes; otherwise they are drawn again.
 * element counts from the first sample's, `sample` elements each.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#include "random.clh"
#include "reduce.clh"

#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef Y_STORE
#define Y_STORE STORE_F32
#endif
#ifndef TAU_STORE
#define TAU_STORE STORE_F32
#endif
#ifndef RANDOM_STORE
#define RANDOM_STORE STORE_I32
#endif
#ifndef KEEP
#define KEEP 0
#endif

static inline floatv noisy_vector(const philox p, const uint element, const floatv x, const float rate)
{
    float draw[VEC];
    philox_uniforms(p, element, VEC, draw);
    const floatv u = VLOAD_F32(draw, 0);
    return (x - log(-log(u))) * rate;
}

static inline float noisy_value(const philox p, const uint element, const float x, const float rate)
{
    return (x - log(-log(philox_uniform(p, element)))) * rate;
}

#if KEEP
#define NOISY_VECTOR(i) LOAD_VEC(Y_STORE, y, i)
#define NOISY_VALUE(i) LOAD(Y_STORE, y, i)
#else
#define NOISY_VECTOR(i) noisy_vector(p, first + (uint)(i), LOAD_VEC(X_STORE, x, i), rate)
#define NOISY_VALUE(i) noisy_value(p, first + (uint)(i), LOAD(X_STORE, x, i), rate)
#endif

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void gumbel_softmax_forward(TENSOR_OUT(Y_STORE, y), TENSOR_IN(X_STORE, x), TENSOR_IN(TAU_STORE, tau),
                            TENSOR_IN(RANDOM_STORE, random), const int columns, const int sample,
                            const uint stream)
{
    REDUCE_DECLARE(scratch);
    TENSOR_BEGIN(random);
    const int row = (int)get_group_id(0);
    y += y_offset + (long)row * columns;
    x += x_offset + (long)row * columns;
    const philox p = philox_begin(random, stream);
    const float rate = 1.0f / LOAD(TAU_STORE, tau, tau_offset);
    const uint first = as_uint(random[3]) * (uint)sample + (uint)row * (uint)columns;

    floatv most = (floatv)(-INFINITY);
    float rest = -INFINITY;
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv v = noisy_vector(p, first + (uint)i, LOAD_VEC(X_STORE, x, i), rate);
        most = fmax(most, v);
#if KEEP
        STORE_VEC(Y_STORE, v, y, i);
#endif
    }
    FOR_ROW_REST(i, columns)
    {
        const float v = noisy_value(p, first + (uint)i, LOAD(X_STORE, x, i), rate);
        rest = fmax(rest, v);
#if KEEP
        STORE(Y_STORE, v, y, i);
#endif
    }
    const float top = reduce_max(fmax(vector_max(most), rest), scratch);

    floatv sum = (floatv)(0.0f);
    rest = 0.0f;
    FOR_ROW_VECTORS(i, columns) sum += exp(NOISY_VECTOR(i) - top);
    FOR_ROW_REST(i, columns) rest += exp(NOISY_VALUE(i) - top);
    const float scale = 1.0f / reduce_sum(vector_sum(sum) + rest, scratch);

    FOR_ROW_VECTORS(i, columns)
    {
        const floatv v = exp(NOISY_VECTOR(i) - top) * scale;
        STORE_VEC(Y_STORE, v, y, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float v = exp(NOISY_VALUE(i) - top) * scale;
        STORE(Y_STORE, v, y, i);
    }
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void gumbel_softmax_backward(TENSOR_OUT(X_STORE, dx), TENSOR_IN(Y_STORE, y), TENSOR_IN(Y_STORE, dy),
                             TENSOR_IN(TAU_STORE, tau), const int columns)
{
    REDUCE_DECLARE(scratch);
    const long row = (long)get_group_id(0) * columns;
    dx += dx_offset + row;
    y += y_offset + row;
    dy += dy_offset + row;
    const float rate = 1.0f / LOAD(TAU_STORE, tau, tau_offset);
    floatv sum = (floatv)(0.0f);
    float rest = 0.0f;
    FOR_ROW_VECTORS(i, columns) sum += LOAD_VEC(Y_STORE, y, i) * LOAD_VEC(Y_STORE, dy, i);
    FOR_ROW_REST(i, columns) rest += LOAD(Y_STORE, y, i) * LOAD(Y_STORE, dy, i);
    const float mean = reduce_sum(vector_sum(sum) + rest, scratch);
    FOR_ROW_VECTORS(i, columns)
    {
        const floatv v = LOAD_VEC(Y_STORE, y, i) * (LOAD_VEC(Y_STORE, dy, i) - mean) * rate;
        STORE_VEC(X_STORE, v, dx, i);
    }
    FOR_ROW_REST(i, columns)
    {
        const float v = LOAD(Y_STORE, y, i) * (LOAD(Y_STORE, dy, i) - mean) * rate;
        STORE(X_STORE, v, dx, i);
    }
}

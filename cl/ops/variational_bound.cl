/* variational_bound.cl -- the bound's term of each value, in nats, and its derivative by v; formulas in
 * host/ops/variational_bound.c.  A work-item owns a value.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef LOSS_STORE
#define LOSS_STORE STORE_F32
#endif
#ifndef START_STORE
#define START_STORE STORE_F32
#endif
#ifndef NOISED_STORE
#define NOISED_STORE STORE_F32
#endif
#ifndef PREDICTED_STORE
#define PREDICTED_STORE STORE_F32
#endif
#ifndef V_STORE
#define V_STORE STORE_F32
#endif
#ifndef COEFFICIENTS_STORE
#define COEFFICIENTS_STORE STORE_F32
#endif

#define LEAST 1e-12f          /* likelihoods below it count as it */
#define REACH (1.0f / 255.0f) /* half a level */

static inline float below(const float z) { return 0.5f * erfc(-0.70710678f * z); }
static inline float density(const float z) { return 0.39894228f * exp(-0.5f * z * z); }

/* {-ln P, its derivative by ln variance}: P is what a Gaussian about `mean` has in the level of x; the lowest
 * level and the highest reach to infinity.  The picture is mirrored so that x lies below the mean, where
 * differences are of small numbers; near and far are the level's ends then, in deviations. */
static inline float2 likelihood(const float x, const float mean, const float log_variance)
{
    const float rate = exp(-0.5f * log_variance), away = fabs(x - mean);
    const float far = -rate * (away + REACH), near = -rate * (away - REACH);
    float value = below(near) - below(far), slope = density(near) * near - density(far) * far;
    if (fabs(x) > 0.999f) {
        /* From the near end to infinity where that is away from the mean, else from the far one over it. */
        const bool outwards = (x < 0.0f) == (x < mean);
        value = outwards ? below(near) : 1.0f - below(far);
        slope = outwards ? density(near) * near : -density(far) * far;
    }
    if (value < LEAST) return (float2)(-log(LEAST), 0.0f);
    return (float2)(-log(value), 0.5f * slope / value);
}

/* {the term, its derivative by ln variance} */
static inline float2 term(const float x0, const float xt, const float predicted, const float log_variance,
                          __global const float *of)
{
    const float mean = of[0] * predicted + of[1] * xt;
    if (of[4] > 0.5f) return likelihood(x0, mean, log_variance);
    const float away = of[0] * (x0 - predicted), wider = of[2] - log_variance;
    const float ratio = exp(wider), square = away * away * exp(-log_variance);
    return (float2)(0.5f * (ratio - 1.0f - wider + square), 0.5f * (1.0f - ratio - square));
}

#define TERM_BEGIN \
    const int i = (int)get_global_id(0); \
    if (i >= count) return; \
    TENSOR_BEGIN(start); \
    TENSOR_BEGIN(noised); \
    TENSOR_BEGIN(predicted); \
    TENSOR_BEGIN(v); \
    __global const float *of = coefficients + coefficients_offset + (long)(i / sample) * 8; \
    const float share = 0.5f + 0.5f * LOAD(V_STORE, v, i), span = of[3] - of[2]; \
    const float2 result = term(LOAD(START_STORE, start, i), LOAD(NOISED_STORE, noised, i), \
                               LOAD(PREDICTED_STORE, predicted, i), of[2] + share * span, of)

__kernel void variational_bound_forward(TENSOR_OUT(LOSS_STORE, loss), TENSOR_IN(START_STORE, start),
                                        TENSOR_IN(NOISED_STORE, noised), TENSOR_IN(PREDICTED_STORE, predicted),
                                        TENSOR_IN(V_STORE, v), TENSOR_IN(COEFFICIENTS_STORE, coefficients),
                                        const int count, const int sample)
{
    TERM_BEGIN;
    (void)span;
    STORE(LOSS_STORE, result.x, loss, loss_offset + i);
}

__kernel void variational_bound_backward(TENSOR_OUT(V_STORE, dv), TENSOR_IN(LOSS_STORE, dloss),
                                         TENSOR_IN(START_STORE, start), TENSOR_IN(NOISED_STORE, noised),
                                         TENSOR_IN(PREDICTED_STORE, predicted), TENSOR_IN(V_STORE, v),
                                         TENSOR_IN(COEFFICIENTS_STORE, coefficients), const int count,
                                         const int sample)
{
    TERM_BEGIN;
    STORE(V_STORE, LOAD(LOSS_STORE, dloss, dloss_offset + i) * result.y * 0.5f * span, dv, dv_offset + i);
}

/* adamw.cl -- one AdamW step on one parameter, in place; see host/ops/adamw.c for the formula.
 * schedule = {learning rate, 1 - beta1^t, 1 - beta2^t, -}; scale = {factor of the gradient, -, go, -}.
 * rest1, rest2 = 1 - beta, rounded once from the exact difference; largest: of the variance.
 * With RANDOM_STORE what is stored in 16 bits is rounded at random, by the element's words of the stream.
 * SPDX-License-Identifier: MIT */
#include "common.clh"
#ifdef RANDOM_STORE
#include "random.clh"
#include "rounding.clh"
#endif

#ifndef PARAMETER_STORE
#define PARAMETER_STORE STORE_F32
#endif
#ifndef MEAN_STORE
#define MEAN_STORE STORE_F32
#endif
#ifndef VARIANCE_STORE
#define VARIANCE_STORE STORE_F32
#endif
#ifndef GRADIENT_STORE
#define GRADIENT_STORE STORE_F32
#endif
#ifndef SCHEDULE_STORE
#define SCHEDULE_STORE STORE_F32
#endif
#ifndef SCALE_STORE
#define SCALE_STORE STORE_F32
#endif

__kernel void adamw_update(TENSOR_OUT(PARAMETER_STORE, parameter), TENSOR_OUT(MEAN_STORE, mean),
                           TENSOR_OUT(VARIANCE_STORE, variance), TENSOR_IN(GRADIENT_STORE, gradient),
                           TENSOR_IN(SCHEDULE_STORE, schedule), TENSOR_IN(SCALE_STORE, scale), const int count,
                           const float beta1, const float rest1, const float beta2, const float rest2,
                           const float epsilon, const float decay, const float largest
#ifdef RANDOM_STORE
                           , TENSOR_IN(RANDOM_STORE, random), const uint stream
#endif
)
{
    TENSOR_BEGIN(parameter);
    TENSOR_BEGIN(mean);
    TENSOR_BEGIN(variance);
    TENSOR_BEGIN(gradient);
    TENSOR_BEGIN(schedule);
    TENSOR_BEGIN(scale);
    if (scale[2] == 0.0f) return;
#ifdef RANDOM_STORE
    TENSOR_BEGIN(random);
    const philox draws = philox_begin(random, stream);
#endif
    const float factor = scale[0], rate = schedule[0];
    const float correct1 = 1.0f / schedule[1], correct2 = 1.0f / schedule[2];
    FOR_VECTORS(i, count)
    {
        const floatv g = factor * LOAD_VEC(GRADIENT_STORE, gradient, i);
        const floatv m = beta1 * LOAD_VEC(MEAN_STORE, mean, i) + rest1 * g;
        const floatv running = beta2 * LOAD_VEC(VARIANCE_STORE, variance, i) + rest2 * g * g;
        const floatv v = select(running, (floatv)(largest), running > largest);
        const floatv p = LOAD_VEC(PARAMETER_STORE, parameter, i);
        const floatv step = (m * correct1) / (sqrt(v * correct2) + epsilon) + decay * p;
#ifdef RANDOM_STORE
        float next[VEC], means[VEC], variances[VEC];
        VSTORE_F32(p - rate * step, next, 0);
        VSTORE_F32(m, means, 0);
        VSTORE_F32(v, variances, 0);
        UNROLLED
        for (int j = 0; j < VEC; ++j) {
            const uint4 bits = philox_block(draws, (uint)(i + j));
            STORE_RANDOM(PARAMETER_STORE, next[j], parameter, i + j, bits.x);
            STORE_RANDOM(MEAN_STORE, means[j], mean, i + j, bits.y);
            STORE_RANDOM(VARIANCE_STORE, variances[j], variance, i + j, bits.z);
        }
#else
        STORE_VEC(MEAN_STORE, m, mean, i);
        STORE_VEC(VARIANCE_STORE, v, variance, i);
        STORE_VEC(PARAMETER_STORE, p - rate * step, parameter, i);
#endif
    }
}

/* adamw.cl -- one AdamW step on one parameter, in place; see host/ops/adamw.c for the formula.
 * schedule = {learning rate, 1 - beta1^t, 1 - beta2^t, -}; scale = {factor of the gradient, -, go, -}.
 * rest1, rest2 = 1 - beta, rounded once from the exact difference.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

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
                           const float epsilon, const float decay)
{
    TENSOR_BEGIN(parameter);
    TENSOR_BEGIN(mean);
    TENSOR_BEGIN(variance);
    TENSOR_BEGIN(gradient);
    TENSOR_BEGIN(schedule);
    TENSOR_BEGIN(scale);
    if (scale[2] == 0.0f) return;
    const float factor = scale[0], rate = schedule[0];
    const float correct1 = 1.0f / schedule[1], correct2 = 1.0f / schedule[2];
    FOR_VECTORS(i, count)
    {
        const floatv g = factor * LOAD_VEC(GRADIENT_STORE, gradient, i);
        const floatv m = beta1 * LOAD_VEC(MEAN_STORE, mean, i) + rest1 * g;
        const floatv v = beta2 * LOAD_VEC(VARIANCE_STORE, variance, i) + rest2 * g * g;
        const floatv p = LOAD_VEC(PARAMETER_STORE, parameter, i);
        const floatv step = (m * correct1) / (sqrt(v * correct2) + epsilon) + decay * p;
        STORE_VEC(MEAN_STORE, m, mean, i);
        STORE_VEC(VARIANCE_STORE, v, variance, i);
        STORE_VEC(PARAMETER_STORE, p - rate * step, parameter, i);
    }
}

/* ema.cl -- average = d average + (1 - d) parameter, in place.  d = 1 touches nothing.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef AVERAGE_STORE
#define AVERAGE_STORE STORE_F32
#endif
#ifndef PARAMETER_STORE
#define PARAMETER_STORE STORE_F32
#endif
#ifndef DECAY_STORE
#define DECAY_STORE STORE_F32
#endif

__kernel void ema_update(TENSOR_OUT(AVERAGE_STORE, average), TENSOR_IN(PARAMETER_STORE, parameter),
                         TENSOR_IN(DECAY_STORE, decay), const int count)
{
    TENSOR_BEGIN(average);
    TENSOR_BEGIN(parameter);
    const float d = LOAD(DECAY_STORE, decay, decay_offset);
    if (d == 1.0f) return;
    FOR_VECTORS(i, count)
    {
        const floatv v = d * LOAD_VEC(AVERAGE_STORE, average, i) + (1.0f - d) * LOAD_VEC(PARAMETER_STORE, parameter, i);
        STORE_VEC(AVERAGE_STORE, v, average, i);
    }
}

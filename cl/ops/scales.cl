/* scales.cl -- gradient scales: their values, what becomes of a step's gradients, and their update; see the
 * host file.  State and status have four numbers a row; row 0 of the status is that of what is not scaled.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef SCALES_STORE
#define SCALES_STORE STORE_F32
#endif
#ifndef STATE_STORE
#define STATE_STORE STORE_F32
#endif
#ifndef STATUS_STORE
#define STATUS_STORE STORE_F32
#endif
#ifndef SUMS_STORE
#define SUMS_STORE STORE_F32
#endif

/* Whole doublings are exact on any device. */
static inline float power_of_two(const float exponent)
{
    const float whole = floor(exponent), rest = exponent - whole;
    const float power = as_float((uint)((int)whole + 127) << 23);
    return rest == 0.0f ? power : power * exp2(rest);
}

__kernel void scales_values(TENSOR_OUT(SCALES_STORE, scales), TENSOR_IN(STATE_STORE, state), const float start,
                            const int count)
{
    TENSOR_BEGIN(scales);
    TENSOR_BEGIN(state);
    const int i = (int)get_global_id(0);
    if (i >= count) return;
    scales[i] = power_of_two(start + state[4 * i] / 1000.0f);
}

/* status[0] = {clip factor, norm of all that is finite, go, 0}, status[i + 1] = {clip factor / scale, the
 * group's norm, go, scale}; sums[0] is the sum of squares of what is not scaled.  Nothing goes where that is
 * not finite, or no group is. */
__kernel void scales_status(TENSOR_OUT(STATUS_STORE, status), TENSOR_IN(SUMS_STORE, sums),
                            TENSOR_IN(SCALES_STORE, scales), const float limit, const int count)
{
    TENSOR_BEGIN(status);
    TENSOR_BEGIN(sums);
    TENSOR_BEGIN(scales);
    if (get_global_id(0) != 0) return;
    float squares = sums[0];
    const bool rest = isfinite(sums[0]);
    bool any = count == 0;
    for (int i = 0; i < count; ++i) {
        const float norm = sqrt(sums[i + 1]) / scales[i];
        status[4 * i + 5] = norm;
        if (isfinite(sums[i + 1])) {
            squares += norm * norm;
            any = true;
        }
    }
    const float norm = sqrt(squares), factor = limit > 0.0f && norm > limit ? limit / norm : 1.0f;
    const bool go = rest && any;
    status[0] = go ? factor : 0.0f;
    status[1] = norm;
    status[2] = go ? 1.0f : 0.0f;
    status[3] = 0.0f;
    for (int i = 0; i < count; ++i) {
        const bool goes = go && isfinite(sums[i + 1]);
        status[4 * i + 4] = goes ? factor / scales[i] : 0.0f;
        status[4 * i + 6] = goes ? 1.0f : 0.0f;
        status[4 * i + 7] = scales[i];
    }
}

__kernel void scales_update(TENSOR_OUT(STATE_STORE, state), TENSOR_IN(STATUS_STORE, status), const int count,
                            const int grow, const int every, const int shrink, const int apart, const int low,
                            const int high)
{
    TENSOR_BEGIN(state);
    TENSOR_BEGIN(status);
    const int i = (int)get_global_id(0);
    if (i >= count) return;
    __global float *own = state + 4 * i;
    int e = (int)own[0], run = (int)own[1], wait = max((int)own[2] - 1, 0);
    if (status[4 * i + 6] != 0.0f) {
        if (++run >= every) {
            e = min(e + grow, high);
            run = 0;
        }
    } else {
        run = 0;
        if (wait == 0) {
            e = max(e - shrink, low);
            wait = apart;
            own[3] += 1.0f;
        }
    }
    own[0] = (float)e;
    own[1] = (float)run;
    own[2] = (float)wait;
}

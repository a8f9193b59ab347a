/* gradient_scale.cl -- {scale, norm, finite, 0} from the sum of squares of all gradients; one work-item.
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef SCALE_STORE
#define SCALE_STORE STORE_F32
#endif
#ifndef SUM_STORE
#define SUM_STORE STORE_F32
#endif

__kernel void gradient_scale(TENSOR_OUT(SCALE_STORE, scale), TENSOR_IN(SUM_STORE, sum), const float limit)
{
    TENSOR_BEGIN(scale);
    if (get_global_id(0) != 0) return;
    const float squares = LOAD(SUM_STORE, sum, sum_offset), norm = sqrt(squares);
    const bool finite = isfinite(squares);
    scale[0] = !finite ? 0.0f : limit > 0.0f && norm > limit ? limit / norm : 1.0f;
    scale[1] = norm;
    scale[2] = finite ? 1.0f : 0.0f;
    scale[3] = 0.0f;
}

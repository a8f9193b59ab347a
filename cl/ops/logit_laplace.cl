/* logit_laplace.cl -- the logit-Laplace loss per channel value, and its gradient; a work-item owns a pixel.
 * x, loss [pixels, 3]; stats [pixels, 6] = mu (3), ln b (3).
 * SPDX-License-Identifier: MIT */
#include "common.clh"

#ifndef LOSS_STORE
#define LOSS_STORE STORE_F32
#endif
#ifndef X_STORE
#define X_STORE STORE_F32
#endif
#ifndef STATS_STORE
#define STATS_STORE STORE_F32
#endif

__kernel void logit_laplace_forward(TENSOR_OUT(LOSS_STORE, loss), TENSOR_IN(X_STORE, x),
                                    TENSOR_IN(STATS_STORE, stats), const int pixels)
{
    const int pixel = (int)get_global_id(0);
    if (pixel >= pixels) return;
    loss += loss_offset + (long)pixel * 3;
    x += x_offset + (long)pixel * 3;
    stats += stats_offset + (long)pixel * 6;
    for (int c = 0; c < 3; ++c) {
        const float value = LOAD(X_STORE, x, c), log_b = LOAD(STATS_STORE, stats, 3 + c);
        const float log_x = log(value), log_rest = log1p(-value);
        const float distance = fabs(log_x - log_rest - LOAD(STATS_STORE, stats, c));
        STORE(LOSS_STORE, M_LN2_F + log_b + log_x + log_rest + distance * exp(-log_b), loss, c);
    }
}

__kernel void logit_laplace_backward(TENSOR_OUT(STATS_STORE, dstats), TENSOR_IN(X_STORE, x),
                                     TENSOR_IN(STATS_STORE, stats), TENSOR_IN(LOSS_STORE, dloss),
                                     const int pixels)
{
    const int pixel = (int)get_global_id(0);
    if (pixel >= pixels) return;
    dstats += dstats_offset + (long)pixel * 6;
    x += x_offset + (long)pixel * 3;
    stats += stats_offset + (long)pixel * 6;
    dloss += dloss_offset + (long)pixel * 3;
    for (int c = 0; c < 3; ++c) {
        const float value = LOAD(X_STORE, x, c), rate = exp(-LOAD(STATS_STORE, stats, 3 + c));
        const float away = log(value) - log1p(-value) - LOAD(STATS_STORE, stats, c);
        const float scale = LOAD(LOSS_STORE, dloss, c);
        STORE(STATS_STORE, -sign(away) * rate * scale, dstats, c);
        STORE(STATS_STORE, (1.0f - fabs(away) * rate) * scale, dstats, 3 + c);
    }
}

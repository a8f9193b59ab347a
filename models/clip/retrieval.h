/* retrieval.h -- how well captions find their pictures and pictures their captions, from features of
 * length 1.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_RETRIEVAL_H
#define DALLE_CL_MODELS_CLIP_RETRIEVAL_H

#include "host/base/error.h"
#include <stdint.h>

typedef struct retrieval {
    double loss;               /* symmetric cross-entropy over all of them, nats */
    double captions, pictures; /* shares: pictures whose nearest caption is theirs; the other way */
} retrieval;

/* pictures and texts [count][size], those of one number belong together; similarities are multiplied by
 * `scale` for the loss.  Of equal similarities the first counts. */
bool retrieval_of(const float *pictures, const float *texts, int64_t count, int64_t size, double scale,
                  retrieval *out, error *err);
/* The row of rows [count][size] that is nearest to `to`. */
int64_t retrieval_nearest(const float *rows, int64_t count, const float *to, int64_t size);

#endif

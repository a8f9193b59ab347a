/* clip_workload.h -- CLIP's training step, and the ranking of drawings, on made-up pictures and captions:
 * workload.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_CLIP_WORKLOAD_H
#define DALLE_CL_MODELS_CLIP_CLIP_WORKLOAD_H

#include "models/clip/clip.h"
#include "models/workload.h"

workload *clip_workload(device *d, const clip_config *c, error *err);
/* A caption and so many pictures to their features, and the pictures' order by similarity. */
workload *clip_workload_ranking(device *d, const clip_config *c, int64_t pictures, error *err);

#endif

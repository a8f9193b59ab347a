/* diffusion_prior_workload.h -- the diffusion prior's training step and drawing on made-up captions and
 * embeddings: workload.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_WORKLOAD_H
#define DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_WORKLOAD_H

#include "models/diffusion_prior/diffusion_prior.h"
#include "models/workload.h"

/* `embedding`: numbers of the CLIP's. */
workload *diffusion_prior_workload(device *d, const diffusion_prior_config *c, int64_t embedding, error *err);
/* Of one embedding, with the settings' candidates and steps. */
workload *diffusion_prior_workload_drawing(device *d, const diffusion_prior_config *c, int64_t embedding,
                                           dtype type, error *err);

#endif

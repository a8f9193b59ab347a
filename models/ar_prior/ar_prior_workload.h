/* ar_prior_workload.h -- the autoregressive prior's training step and drawing on made-up embeddings:
 * workload.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_WORKLOAD_H
#define DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_WORKLOAD_H

#include "models/ar_prior/ar_prior.h"
#include "models/workload.h"

workload *ar_prior_workload(device *d, const ar_prior_config *c, const ar_prior_shape *shape, error *err);
/* The layers' matrices are stored as `type`. */
workload *ar_prior_workload_drawing(device *d, const ar_prior_config *c, const ar_prior_shape *shape,
                                    dtype type, error *err);

#endif

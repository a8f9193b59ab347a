/* dvae_workload.h -- a dVAE's training step on made-up pictures: workload.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DVAE_DVAE_WORKLOAD_H
#define DALLE_CL_MODELS_DVAE_DVAE_WORKLOAD_H

#include "models/dvae/dvae.h"
#include "models/workload.h"

workload *dvae_workload(device *d, const dvae_config *c, error *err);

#endif

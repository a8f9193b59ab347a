/* prior_workload.h -- a prior's training step, and its drawing, on made-up captions and tokens: workload.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_PRIOR_WORKLOAD_H
#define DALLE_CL_MODELS_PRIOR_PRIOR_WORKLOAD_H

#include "models/prior/prior.h"
#include "models/workload.h"

workload *prior_workload(device *d, const prior_config *c, const prior_shape *shape, error *err);
/* One picture at a time, the likeliest tokens, with the layers' matrices stored as `type`. */
workload *prior_workload_drawing(device *d, const prior_config *c, const prior_shape *shape, dtype type,
                                 error *err);

#endif

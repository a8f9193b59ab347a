/* upsampler_workload.h -- an upsampler's training step on made-up pictures, and drawing one: workload.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_WORKLOAD_H
#define DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_WORKLOAD_H

#include "models/upsampler/upsampler.h"
#include "models/workload.h"

workload *upsampler_workload(device *d, const upsampler_config *c, error *err);
/* One picture by the settings' own steps. */
workload *upsampler_workload_drawing(device *d, const upsampler_config *c, error *err);

#endif

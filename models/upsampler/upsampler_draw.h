/* upsampler_draw.h -- drawing large pictures from small ones with an upsampler's parameters, as they are or
 * averaged; what a trained part does, and a run's validation and sample grids.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_DRAW_H
#define DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_DRAW_H

#include "models/upsampler/upsampler.h"

typedef struct upsampler_draw upsampler_draw;
/* Declares the parameters in the store; compiles nothing yet.  The settings are copied. */
upsampler_draw *upsampler_draw_create(store *s, const upsampler_config *c, bool averages, error *err);
void upsampler_draw_destroy(upsampler_draw *d);

/* For so many pictures at once, or as many of them as memory is taken for; harmless where it is ready. */
bool upsampler_draw_prepare(upsampler_draw *d, int64_t count, error *err);

/* How the settings draw; the caller may say otherwise, and adds seed, first, stream and progress. */
diffusion_run upsampler_draw_how(const upsampler_config *c);
/* low [count][F][F][3] -> out [count][S][S][3], both -1..1.  Progress counts the steps of all pictures'
 * draws. */
bool upsampler_draw_run(upsampler_draw *d, const diffusion_run *how, const float *low, int64_t count,
                        float *out, error *err);

#endif

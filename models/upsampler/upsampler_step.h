/* upsampler_step.h -- the upsampler's training step as a graph: loss, gradients, update.
 * What trains, what is measured (bench) and what is planned (plan) are this one graph.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UPSAMPLER_STEP_H
#define DALLE_CL_MODELS_UPSAMPLER_STEP_H

#include "host/train/optimizer.h"
#include "models/upsampler/upsampler.h"

typedef struct upsampler_step {
    graph *graph;
    /* inputs of a part: U8 [b,w,w,3], F32 [b,w,w,3] the small ones brought to size, I32 [4] */
    tensor *pixels, *low, *random;
    diffusion_inputs noise;
    diffusion_losses losses; /* of the whole batch */
    division division;
    optimizer *optimizer;
} upsampler_step;

#define UPSAMPLER_STEP_KNOB TRAINING_KNOB

/* Makes the graph, not yet compiled.  On failure, too, s->graph is the caller's to destroy. */
bool upsampler_step_build(upsampler_step *s, store *st, const upsampler_config *c, error *err);

#endif

/* dvae_step.h -- the first stage's training step as a graph: loss, gradients, update.
 * What trains, what is measured (bench) and what is planned (plan) are this one graph.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DVAE_STEP_H
#define DALLE_CL_MODELS_DVAE_STEP_H

#include "host/train/optimizer.h"
#include "models/dvae/dvae.h"

typedef struct dvae_step {
    graph *graph;
    /* inputs: U8 [b,S,S,3] of a part, F32 [2] {temperature, KL weight}, I32 [4] */
    tensor *pixels, *schedule, *random;
    dvae_losses losses; /* of the whole batch */
    division division;
    optimizer *optimizer;
} dvae_step;

#define DVAE_STEP_KNOB TRAINING_KNOB

/* Makes the graph, not yet compiled.  On failure, too, s->graph is the caller's to destroy. */
bool dvae_step_build(dvae_step *s, store *st, const dvae_config *c, error *err);

#endif

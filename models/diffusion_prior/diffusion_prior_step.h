/* diffusion_prior_step.h -- the diffusion prior's training step as a graph: loss, and for training gradients
 * and update.  What trains, what is measured (bench) and what is planned (plan) are this one graph.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_STEP_H
#define DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_STEP_H

#include "host/train/optimizer.h"
#include "models/diffusion_prior/diffusion_prior.h"

typedef struct diffusion_prior_step {
    graph *graph;
    /* Inputs, of a part: F32 [b,E], each of length 1; what they are conditioned on; times and coefficients */
    tensor *embedding;
    diffusion_prior_condition condition;
    diffusion_inputs times;
    tensor *random;          /* I32 [4]: of noise, and in training of dropout */
    diffusion_losses losses; /* when training, of the whole batch; else of the part */
    division division;
    optimizer *optimizer; /* NULL when only the loss is wanted */
} diffusion_prior_step;

#define DIFFUSION_PRIOR_STEP_KNOB TRAINING_KNOB

/* Make the graph, not yet compiled: of a training step; of the loss of a validation batch, without dropout
 * and with the averaged parameters if there are any.  On failure, too, s->graph is the caller's to
 * destroy. */
bool diffusion_prior_step_build(diffusion_prior_step *s, store *st, const diffusion_prior_config *c,
                                const diffusion *process, int64_t embedding, error *err);
bool diffusion_prior_step_build_loss(diffusion_prior_step *s, store *st, const diffusion_prior_config *c,
                                     const diffusion *process, int64_t embedding, error *err);

#endif

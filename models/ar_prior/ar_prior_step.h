/* ar_prior_step.h -- the autoregressive prior's training step as a graph: loss, and for training gradients and
 * update.  What trains, what is measured (bench) and what is planned (plan) are this one graph.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_STEP_H
#define DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_STEP_H

#include "host/train/optimizer.h"
#include "models/ar_prior/ar_prior.h"

typedef struct ar_prior_step {
    graph *graph;
    /* Inputs, of a part: I32 [b,T], F32 [b,E], I32 [b,D], I32 [b,D] (ar_prior.h) */
    tensor *text, *caption, *read, *targets;
    tensor *random; /* I32 [4]; NULL when only the loss is wanted */
    tensor *loss;   /* [1]: nats a component; when training, of the whole batch; else of the part */
    division division;
    optimizer *optimizer; /* NULL when only the loss is wanted */
} ar_prior_step;

#define AR_PRIOR_STEP_KNOB TRAINING_KNOB

/* Make the graph, not yet compiled: of a training step; of the loss of a validation batch, without dropout
 * and with the averaged parameters if there are any.  On failure, too, s->graph is the caller's to
 * destroy. */
bool ar_prior_step_build(ar_prior_step *s, store *st, const ar_prior_config *c, const ar_prior_shape *shape,
                         error *err);
bool ar_prior_step_build_loss(ar_prior_step *s, store *st, const ar_prior_config *c,
                              const ar_prior_shape *shape, error *err);

#endif

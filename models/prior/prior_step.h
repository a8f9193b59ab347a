/* prior_step.h -- the second stage's training step as a graph: loss, and for training gradients and update.
 * What trains, what is measured (bench) and what is planned (plan) are this one graph.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_STEP_H
#define DALLE_CL_MODELS_PRIOR_STEP_H

#include "host/train/optimizer.h"
#include "models/prior/prior.h"

typedef struct prior_step {
    graph *graph;
    tensor *text, *image, *targets; /* inputs, of a part: I32 [b,T], [b,N], [b,T-1]; -1 where no token is */
    tensor *read;                   /* I32 [b,N], the image tokens with noise; `image` where there is none */
    tensor *share;                  /* F32 [1]: parts / number of text targets in the whole batch */
    tensor *random;                 /* I32 [4]; NULL when only the loss is wanted */
    prior_places places;            /* to be written once, after graph_compile */
    prior_losses losses;            /* when training, of the whole batch; else of the part */
    division division;
    optimizer *optimizer; /* NULL when only the loss is wanted */
} prior_step;

#define PRIOR_STEP_KNOB TRAINING_KNOB

/* Make the graph, not yet compiled: of a training step; of the loss of a validation batch, without dropout
 * and with the averaged parameters if there are any.  On failure, too, s->graph is the caller's to
 * destroy. */
bool prior_step_build(prior_step *s, store *st, const prior_config *c, const prior_shape *shape, error *err);
bool prior_step_build_loss(prior_step *s, store *st, const prior_config *c, const prior_shape *shape,
                           error *err);

#endif

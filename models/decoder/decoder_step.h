/* decoder_step.h -- the decoder's training step as a graph: loss, and for training gradients and update.
 * What trains, what is measured (bench) and what is planned (plan) are this one graph.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_DECODER_STEP_H
#define DALLE_CL_MODELS_DECODER_DECODER_STEP_H

#include "host/train/optimizer.h"
#include "models/decoder/decoder.h"

typedef struct decoder_step {
    graph *graph;
    tensor *pixels; /* input, of a part: U8 [b,S,S,3] */
    decoder_condition condition;
    diffusion_inputs times;
    tensor *random;          /* I32 [4]: of noise, and in training of dropout */
    diffusion_losses losses; /* when training, of the whole batch; else of the part */
    division division;
    optimizer *optimizer; /* NULL when only the loss is wanted */
} decoder_step;

#define DECODER_STEP_KNOB TRAINING_KNOB

/* Make the graph, not yet compiled: of a training step; of the loss of a validation batch, without dropout
 * and with the averaged parameters if there are any.  On failure, too, s->graph is the caller's to
 * destroy. */
bool decoder_step_build(decoder_step *s, store *st, const decoder_config *c, const decoder_shape *shape,
                        const diffusion *process, error *err);
bool decoder_step_build_loss(decoder_step *s, store *st, const decoder_config *c, const decoder_shape *shape,
                             const diffusion *process, error *err);

#endif

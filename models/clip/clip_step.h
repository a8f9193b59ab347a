/* clip_step.h -- CLIP's training step as a graph: features, loss, gradients and update.
 * A batch that is divided runs twice, for the loss is of all its features together: they are computed part by
 * part without anything being kept, then come the loss and its gradient with regard to them, and then the
 * parts again, each with the gradient of its own features (host/train/division.h).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_STEP_H
#define DALLE_CL_MODELS_CLIP_STEP_H

#include "host/train/optimizer.h"
#include "models/clip/clip.h"

typedef struct clip_step {
    graph *graph;
    bool known; /* given before clip_step_build: the step is told pictures' features, and computes none */
    /* Inputs, of a part: U8 [b,S,S,3], I32 [b,T], I32 [2,b] (clip.h); or F32 [b,E] instead of pixels. */
    tensor *pixels, *text, *ends, *features;
    tensor *random;  /* I32 [4] */
    tensor *targets; /* I32 [B] */
    clip_constants constants;
    clip_losses losses; /* of the whole batch */
    division division;
    optimizer *optimizer;
} clip_step;

#define CLIP_STEP_KNOB TRAINING_KNOB

/* Makes the graph, not yet compiled.  The step stays where it is; on failure, too, s->graph is the caller's
 * to destroy. */
bool clip_step_build(clip_step *s, store *st, const clip_config *c, error *err);
/* After graph_compile: writes what never changes. */
bool clip_step_ready(const clip_step *s, error *err);

#endif

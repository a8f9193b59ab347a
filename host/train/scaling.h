/* scaling.h -- gradients that are scaled so that 16 bits hold them: of the loss as a whole, or of each
 * residual block (spec: 2.4 and appendix D of arXiv 2102.12092).  Scales are state of the store: they move
 * on the device, are saved in checkpoints, and nothing waits for the host.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_SCALING_H
#define DALLE_CL_TRAIN_SCALING_H

#include "host/graph/graph.h"

typedef struct scaling_settings {
    float loss_scale;         /* what the loss is multiplied by at first; 0: not */
    int32_t loss_scale_every; /* finite steps in a row after which it doubles */
    float block_start;        /* log2 of what blocks' scales are at first; 0: they have none */
} scaling_settings;

bool scaling_is_on(const scaling_settings *s);
/* The loss as graph_backward is to have it. */
tensor *scaling_of_loss(const scaling_settings *s, graph *g, tensor *loss);

/* Before scaling_append: all scales as they are in this step; and of them, F32 [1], what the gradient of a
 * parameter has been multiplied by; NULL: it is not scaled. */
tensor *scaling_scales(const scaling_settings *s, graph *g);
tensor *scaling_scale_of(const scaling_settings *s, tensor *scales, const store_entry *of);

/* What scaled gradients are to be multiplied by. */
typedef struct scaling {
    int64_t groups;
    bool blocks;            /* a group a residual block; else one of everything */
    tensor *status, *zeros; /* as optimizer_blocks and optimizer_zeros say; zeros NULL where not blocks */
} scaling;

/* Scaled gradients, of the parameters of[0..count-1].  `make` gives number i where it is wanted: one
 * that can be made anew need not be kept until all norms are taken. */
typedef struct scaling_gradients {
    int count;
    const store_entry *const *of;
    tensor *(*make)(const void *self, int i);
    const void *self;
} scaling_gradients;

/* Appends norms, status and the scales' next state; `loss` is the one before it was scaled. */
scaling scaling_append(const scaling_settings *s, graph *g, tensor *loss, const scaling_gradients *from,
                       float clip);
/* F32 [4], what op_adamw takes as scale for a gradient of that parameter. */
tensor *scaling_row(const scaling *s, const store_entry *of);
/* The row for all: {factor, norm, finite, loss scale or 0}. */
tensor *scaling_whole(const scaling *s);

#endif

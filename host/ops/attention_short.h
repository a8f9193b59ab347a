/* attention_short.h -- attention of short streams on CPUs (cl/ops/attention_short.cl), and what its nodes
 * have in common with those of all others.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_ATTENTION_SHORT_H
#define DALLE_CL_OPS_ATTENTION_SHORT_H

#include "host/ops/mask.h"
#include "host/ops/shared.h"

typedef struct attention_attributes {
    mask pattern; /* its `valid` is an input */
    float scale;
    device_matrix played; /* by which unit both passes are played (attention_matrix.h), or none */
} attention_attributes;

/* Of a node: those of the forward pass, and then those of the gradient. */
enum {
    ATTENTION_QUERY,
    ATTENTION_KEYS,
    ATTENTION_VALUES,
    ATTENTION_VALID,
    ATTENTION_FORWARD_INPUTS,
    ATTENTION_Y = ATTENTION_FORWARD_INPUTS,
    ATTENTION_LSE,
    ATTENTION_DY,
    ATTENTION_BACKWARD_INPUTS
};

/* Whether a node of either pass is done so: for its shape and the device alone to say. */
bool attention_short_takes(const node *n, const device *d);
int64_t attention_short_bytes(const node *n, const device *d); /* of its workspace */
bool attention_short_forward(const node *n, binder *b);
bool attention_short_backward(const node *n, binder *b);

#endif

/* optimizer.h -- appends the update of every trained parameter to a graph: global norm, clipping,
 * AdamW, EMA, all on the device and all skipped there when a gradient is not finite.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_OPTIMIZER_H
#define DALLE_CL_TRAIN_OPTIMIZER_H

#include "host/train/division.h"
#include "host/train/exchange.h"
#include "host/train/powersgd.h"
#include "host/train/scaling.h"

typedef struct optimizer_settings {
    float beta1, beta2, epsilon, decay;
    float clip;                 /* global norm; 0 = none */
    bool ema;                   /* keep an average of every parameter */
    const exchange *exchange;   /* what gradients pass through before their norm is taken; NULL: nothing */
    powersgd_settings compress; /* of what is compressed, which passes through no exchange */
    scaling_settings scaling;
    /* How the moments of parameters that are not wide are stored (those of wide ones are F32). */
    dtype mean_type, variance_type;
    float variance_limit; /* the running variance is clipped to it by value; 0 = is not */
    /* What is stored in 16 bits, parameters and moments, is rounded at random, by `seed`, step, the
     * parameter's name and the element; otherwise to nearest. */
    bool stochastic;
    uint64_t seed;
} optimizer_settings;

typedef struct optimizer optimizer;

/* graph_backward of the loss, scaled as the settings say. */
void optimizer_backward(graph *g, tensor *loss, const optimizer_settings *settings);
/* After graph_backward(loss), or with a loss scale optimizer_backward.  Declares moments and averages, as
 * kin of the parameters, and appends the nodes; entries of the store with decay = false get no weight
 * decay.  The optimizer lives in the graph's arena. */
optimizer *optimizer_append(graph *g, tensor *loss, const optimizer_settings *settings);
/* The same for a graph that is a part's: gradients are averaged over the parts, and what is appended here
 * and later runs once after all of them.  `loss` is already the mean over the parts; figures must be so,
 * too. */
optimizer *optimizer_append_divided(graph *g, tensor *loss, const optimizer_settings *settings,
                                    const division *d);

/* Makes the averages equal to the parameters. */
bool optimizer_reset_averages(optimizer *o, error *err);

/* Before each run, without waiting for earlier ones: step counts from 0; ema_decay 1 leaves the averages
 * alone in this step.  Step 0 also resets the averages. */
bool optimizer_schedule(optimizer *o, int64_t step, double learning_rate, double ema_decay, error *err);

/* F32 [4] = {clip scale, gradient norm, finite, loss scale or 0}; kept.  The finite flag covers loss and
 * gradients; the norm is that of gradients that are not scaled. */
tensor *optimizer_status(const optimizer *o);
/* With blocks' scales F32 [1+blocks,4], kept, after a row for all: {factor of the gradients, their norm,
 * whether the block was updated, its scale}; and F32 [blocks], kept: the share of its gradients that is 0
 * where it is stored, which tells underflow.  Otherwise NULL. */
tensor *optimizer_blocks(const optimizer *o);
tensor *optimizer_zeros(const optimizer *o);

#endif

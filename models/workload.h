/* workload.h -- what users wait for, on made-up data: a kind's training step, the drawing of a picture. The
 * graphs are those that train and draw; `bench` times them and `plan` sums them up.  What differs from kind
 * to kind is a workload_type in the kind's folder.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_WORKLOAD_H
#define DALLE_CL_MODELS_WORKLOAD_H

#include "host/train/division.h"
#include "host/train/optimizer.h"
#include "host/train/scale.h"

typedef struct workload workload;

/* A training step as the workload runs it. */
typedef struct workload_step {
    graph *graph; /* not yet compiled; the workload's to destroy.  NULL: no step but a drawing */
    optimizer *optimizer;
    tensor *loss;             /* kept */
    const division *division; /* borrowed */
    const char *knob;         /* what graph_compile advises to lower */
} workload_step;

typedef struct workload_type {
    /* Builds the step over the empty store; a drawing takes what it needs and leaves *out as it is.  On
     * failure, too, out->graph is the workload's. */
    bool (*build)(void *self, store *s, workload_step *out, error *err);
    /* Fills the inputs of the compiled step; makes a drawing ready. */
    bool (*fill)(void *self, error *err);
    /* Of a drawing: one of them; and whether two come out right and the same. */
    bool (*draw)(void *self, error *err);
    bool (*check)(void *self, error *err);
    /* Frees `self` and what it owns; the step's graph is gone, the store is not. */
    void (*destroy)(void *self);
} workload_type;

/* Takes over `self`, also on failure, where it may be NULL: then err already tells why.  Borrows the device.
 * Nothing is allocated there, and no kernel built, before workload_ready, but what a drawing's `fill`
 * needs. */
workload *workload_create(device *d, const workload_type *type, void *self, error *err);
void workload_destroy(workload *w);

/* Bytes and operations of one run, from shapes alone; all 0 of a drawing. */
typedef struct workload_size {
    int64_t parameters;                               /* numbers that are trained */
    int64_t parameter_bytes, moment_bytes, ema_bytes; /* of the store, by kind */
    int64_t error_bytes; /* what is kept of compressed gradients, and what they are multiplied by */
    powersgd_size compressed;
    int64_t state_bytes;   /* codebooks, caches: the rest of the store */
    int64_t parts;         /* that the batch is computed in */
    int64_t sum_bytes;     /* of the store: gradients and the like that are added up over the parts */
    int64_t padding_bytes; /* that the store takes beside its numbers */
    int64_t input_bytes, work_bytes; /* of a part: activations, gradients, scratch, after reuse */
    int64_t largest_bytes;           /* of one tensor, which must fit one buffer */
    char largest_name[96];
    double flops; /* of the products, two a multiply-add */
} workload_size;
bool workload_plan(workload *w, workload_size *size, error *err);
int64_t workload_bytes(const workload_size *s); /* that the step takes of a device in all */

/* The same of a training step, and one part of it as host/train/scale.h counts it, which is right of a
 * step in more than one part.  Either way *out is to be given to workload_scale_free. */
bool workload_scale(workload *w, workload_size *size, scale_step *out, error *err);
void workload_scale_free(scale_step *s);

/* Allocates, builds kernels, fills inputs and parameters. */
bool workload_ready(workload *w, error *err);
/* One step or one picture, waited for. */
bool workload_run(workload *w, error *err);
/* After workload_ready, of a training step: the loss that it began with. */
bool workload_loss(workload *w, float *loss, error *err);
/* After workload_ready: the seconds of a step or picture, from a few of them, or two where they are slow. */
bool workload_time(workload *w, double *seconds, error *err);
/* After workload_ready: runs and checks.  A training step's loss and gradient norm are finite and its loss
 * falls over a few steps on the same batch; a picture's tokens are codes and the same when drawn again. */
bool workload_check(workload *w, error *err);

/* Made-up data, the same in every run of the program: numbers below `vocabulary`, bytes that change every
 * 64. */
void workload_tokens(int32_t *ids, int64_t count, int64_t vocabulary, uint32_t stream);
void workload_pixels(uint8_t *pixels, int64_t count);

#endif

/* workload.h -- what users wait for, on made-up data: a training step of either stage, the drawing of a
 * picture's tokens.  The graphs are those that train and draw; `bench` times them and `plan` sums them up.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_WORKLOAD_H
#define DALLE_CL_MODELS_WORKLOAD_H

#include "models/dvae/dvae.h"
#include "models/prior/prior.h"

typedef struct workload workload;

/* Borrow the device.  Nothing is allocated there, and no kernel built, before workload_ready. */
workload *workload_dvae(device *d, const dvae_config *c, error *err);
workload *workload_prior(device *d, const prior_config *c, const prior_shape *shape, error *err);
/* One picture at a time, the likeliest tokens, with the layers' matrices stored as `type`; needs the device's memory at
 * once. */
workload *workload_draw(device *d, const prior_config *c, const prior_shape *shape, dtype type, error *err);
void workload_destroy(workload *w);

/* Bytes and operations of one run, from shapes alone. */
typedef struct workload_size {
    int64_t parameters;                               /* numbers that are trained */
    int64_t parameter_bytes, moment_bytes, ema_bytes; /* of the store, by kind */
    int64_t state_bytes;                              /* codebooks, caches: the rest of the store */
    int64_t parts;                                    /* that the batch is computed in */
    int64_t sum_bytes; /* of the store: gradients and the like that are added up over the parts */
    int64_t input_bytes, work_bytes; /* of a part: activations, gradients, scratch, after reuse */
    int64_t largest_bytes;           /* of one tensor, which must fit one buffer */
    char largest_name[96];
    double flops; /* of the products, two a multiply-add */
} workload_size;
bool workload_plan(workload *w, workload_size *size, error *err);

/* Allocates, builds kernels, fills inputs and parameters. */
bool workload_ready(workload *w, error *err);
/* One step or one picture, waited for. */
bool workload_run(workload *w, error *err);
/* After workload_ready: the seconds of a step or picture, from a few of them, or two where they are slow. */
bool workload_time(workload *w, double *seconds, error *err);
/* After workload_ready: runs and checks.  A training step's loss and gradient norm are finite and its loss falls over
 * a few steps on the same batch; a picture's tokens are codes and the same when drawn again. */
bool workload_check(workload *w, error *err);

#endif

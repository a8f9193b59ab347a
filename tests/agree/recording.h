/* recording.h -- the file in which record.c keeps what a device computed, and which compare.c reads.
 *   <model>.loss, <model>.norm   F32 [steps]: loss and gradient norm of each training step
 *   <model>.before.<entry>       F32: what training starts from
 *   <model>.gradient.<entry>     F32: the first step's gradient of each parameter
 *   <model>.after.<entry>        F32: parameters, and what else the model updates, after the last step
 *   <model>.tokens               I32 [captions, tokens]: the likeliest tokens
 *   <model>.top, <model>.second  F32 [captions, tokens]: the two largest logits where a token was chosen
 *   <model>.other                I32 [captions, tokens]: the token of the second
 *   <model>.most                 F32 [captions, tokens]: max |logit|
 * Metadata: device (name and driver), kernels (hash of their sources), what.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_AGREE_RECORDING_H
#define DALLE_CL_TESTS_AGREE_RECORDING_H

#include "data/safetensors.h"
#include "host/base/arena.h"
#include "models/prior/prior.h"

enum { STEPS = 3 };

typedef struct recording {
    device *device;
    bool least;    /* the smallest sizes, for devices that are slow */
    arena *memory; /* holds what the writer borrows */
    safetensors_writer *writer;
} recording;

/* Adds a copy of `values`, which are F32 or I32, under "<model>.<name>". */
bool recording_add(recording *r, const char *model, const char *name, dtype type, int rank,
                   const int64_t *dim, const void *values, error *err);
/* Every parameter, and what else of a store a model updates, as "<model>.<when>.<entry>". */
bool recording_add_store(recording *r, const char *model, const char *when, store *s, error *err);

/* training.c: STEPS steps from a fixed seed. */
bool record_dvae(recording *r, const char *quantiser, error *err);
/* Also four tokens of the small prior, when sizes are the smallest. */
bool record_prior(recording *r, error *err);
/* drawing.c */
bool record_demo(recording *r, const char *folder, bool one_caption, error *err);
bool record_tokens(recording *r, const char *model, prior_sampler *p, const prior_shape *shape, int captions,
                   const int32_t *texts, int64_t text_tokens, error *err);

#endif

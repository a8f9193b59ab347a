/* room.h -- which batch fits a device's memory: a kind's training step is planned, on paper, for smaller
 * ones.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_ROOM_H
#define DALLE_CL_MODELS_ROOM_H

#include "models/kinds.h"

/* A kind's training step: settings of its table, and what kinds.h calls given.  All borrowed. */
typedef struct room_step {
    const model_kind *kind;
    device *device;
    const void *config;
    const int64_t *given;
    int64_t ranks; /* that share the batch, each of them such a device; 0: one */
} room_step;

/* Of so much memory what a training may take for its step; the rest is for validation, sample grids and the
 * driver. */
int64_t room_without_reserve(int64_t memory);
/* Bytes that the step takes of the device; ROOM_NONE: one of its tensors is larger than the device's largest
 * buffer; -1: its settings make no step. */
#define ROOM_NONE (INT64_MAX / 4)
int64_t room_bytes(const room_step *s);

typedef struct room_found {
    int64_t batch, batch_bytes; /* the largest batch below the step's whose step fits, in as many parts */
    int64_t parts, parts_bytes; /* the fewest parts, more than the step's, in which its batch fits */
} room_found;                   /* 0: there is none */
room_found room_find(const room_step *s, int64_t bytes);
/* Adds to *err what fits into so many bytes. */
void room_advise(const room_step *s, int64_t bytes, error *err);

#endif

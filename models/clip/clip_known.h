/* clip_known.h -- the features of a set's pictures, computed once: what a locked image tower says of pictures
 * that look alike in every epoch never changes.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_KNOWN_H
#define DALLE_CL_MODELS_CLIP_KNOWN_H

#include "models/clip/clip_features.h"
#include "models/data.h"

typedef struct clip_known {
    int64_t size;  /* E */
    float *all;    /* of every picture of the set, [count][E]; NULL before they are made */
    float *chosen; /* of a batch, [B,E] */
} clip_known;

/* Whether a run's pictures have such features: its image tower is locked, nothing is varied in a picture, and
 * those of all of them fit. */
bool clip_known_can(const clip_config *c, const training_data *data);
/* By the tower that `f` has now; one that cannot be read has what a black one has.  `batch`: the most that
 * clip_known_choose will be asked for. */
bool clip_known_make(clip_known *k, clip_features *f, training_data *data, int64_t size, int64_t batch,
                     error *err);
/* Those of a batch's pictures, borrowed until the next call. */
const float *clip_known_choose(clip_known *k, const loader_batch *b);
void clip_known_free(clip_known *k);

#endif

/* ar_prior_part.h -- a trained autoregressive prior, opened from a model or a run (models/parts.h), and the
 * embeddings that it draws for captions.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_PART_H
#define DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_PART_H

#include "models/ar_prior/ar_prior.h"
#include "models/clip/clip_part.h"
#include "models/parts.h"
#include "models/unclip/embedding.h"

typedef struct ar_prior_part {
    ar_prior_config config;
    ar_prior_shape shape;
    store *store;
    checkpoint_metadata metadata;
    clip_part *clip;                  /* borrowed */
    struct ar_prior_codes *codes;     /* private */
    struct ar_prior_sampler *sampler; /* private */
} ar_prior_part;

/* The CLIP is borrowed until the part is closed; it must be the one that the part was trained with, otherwise
 * that is an error that names both. */
ar_prior_part *ar_prior_part_open(device *d, const char *folder, clip_part *clip, error *err);
void ar_prior_part_close(ar_prior_part *p); /* NULL is harmless */
/* Makes ready to draw so many at once, building graphs if they are not kept. */
bool ar_prior_part_prepare(ar_prior_part *p, int64_t count, error *err);
/* -> [count][E], each of length 1 */
bool ar_prior_part_draw(ar_prior_part *p, const embedding_request *r, float *embeddings, error *err);

#endif

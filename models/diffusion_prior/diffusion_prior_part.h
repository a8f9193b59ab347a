/* diffusion_prior_part.h -- a trained diffusion prior, opened from a model or a run (models/parts.h), and the
 * embeddings that it draws.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_PART_H
#define DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_PART_H

#include "models/clip/clip_part.h"
#include "models/diffusion_prior/diffusion_prior.h"
#include "models/parts.h"
#include "models/unclip/embedding.h"

typedef struct diffusion_prior_part {
    diffusion_prior_config config;
    store *store;
    checkpoint_metadata metadata;
    clip_part *clip;                     /* borrowed */
    struct diffusion_prior_drawer *draw; /* private */
} diffusion_prior_part;

/* The clip is borrowed, and must be the one that it was trained with: otherwise that is an error, which names
 * both. */
diffusion_prior_part *diffusion_prior_part_open(device *d, const char *folder, clip_part *clip, error *err);
/* The same without asking which CLIP it was: for packing, which asks itself. */
diffusion_prior_part *diffusion_prior_part_read(device *d, const char *folder, clip_part *clip, error *err);
void diffusion_prior_part_close(diffusion_prior_part *p); /* NULL is harmless */
/* Makes ready what `count` embeddings need with the model's own guidance, so that its kernels are built
 * beside others; harmless where it is. */
bool diffusion_prior_part_prepare(diffusion_prior_part *p, int64_t count, error *err);
/* -> [count][E], each of length 1. */
bool diffusion_prior_part_draw(diffusion_prior_part *p, const embedding_request *r, float *embeddings,
                               error *err);

#endif

/* ar_prior_sampler.h -- drawing: captions are read once, then a replayed graph makes one component of every
 * embedding at a time, against a cache of keys and values.
 * B embeddings at once, D components, E numbers of an embedding.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_SAMPLER_H
#define DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_SAMPLER_H

#include "models/ar_prior/ar_prior.h"

typedef struct ar_prior_sampler ar_prior_sampler;

/* Over a store that holds, or will be loaded with, the parameters, which it declares and gives memory;
 * `averages`: their averages.  Graphs are built when they are first needed, and some are kept. */
ar_prior_sampler *ar_prior_sampler_create(store *s, const ar_prior_config *c, const ar_prior_shape *shape,
                                          bool averages, error *err);
void ar_prior_sampler_destroy(ar_prior_sampler *p);
/* Builds what drawing so many of one caption with this guidance needs; harmless where that is kept. */
bool ar_prior_sampler_prepare(ar_prior_sampler *p, int64_t count, double guidance, error *err);

typedef struct ar_prior_draw {
    bool each;            /* every embedding has a caption of its own; else all have the first */
    const int32_t *text;  /* [T], or with `each` [count][T]; -1 where no token is */
    const float *caption; /* the CLIP's embedding of it, [E] or [count][E]; zeros: none */
    const int32_t *near;  /* [count]: tokens of nearness (ar_prior.h) */
    uint64_t seed;
    int64_t first,
        count; /* embedding number first + i depends on (model, caption, near, seed, number) only */
    double temperature;
    double guidance; /* 1: none; else from the logits without + guidance (with - without the caption) */
    bool (*progress)(void *context, int64_t done, int64_t total); /* with the components drawn; may be NULL */
    void *context;
} ar_prior_draw;
/* Writes [count][D] buckets. */
bool ar_prior_sampler_draw(ar_prior_sampler *p, const ar_prior_draw *how, int32_t *buckets, error *err);
/* The logits [D][K] of one embedding whose components are known, each read one by one: what tests compare with
 * ar_prior_logits.  `read` [D] as there. */
bool ar_prior_sampler_logits(ar_prior_sampler *p, const int32_t *text, const float *caption,
                             const int32_t *read, float *logits, error *err);

#endif

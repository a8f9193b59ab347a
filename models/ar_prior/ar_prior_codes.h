/* ar_prior_codes.h -- embeddings as a sequence of numbers: their principal components, each in buckets; and
 * how near captions are to their pictures, in buckets too.  Computed from the training pictures before the
 * first step, and kept in the store (STORE_LEARNT), so that checkpoints and packed parts have them.
 * D components, K buckets, M buckets of nearness, E numbers of an embedding.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_CODES_H
#define DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_CODES_H

#include "models/ar_prior/ar_prior.h"

enum { AR_PRIOR_TABLES = 6 };

typedef struct ar_prior_codes {
    ar_prior_config config;
    int64_t embedding;    /* E */
    float *mean;          /* [E] */
    float *components;    /* [D,E] */
    float *edges;         /* [D,K+1], ascending */
    float *centres;       /* [D,K]: what a bucket stands for */
    float *near_edges;    /* [M+1] */
    float *near_shares;   /* [M]: of the training pictures */
    double variance_kept; /* the components' share of all variance; known after ar_prior_codes_fit alone */
} ar_prior_codes;

ar_prior_codes *ar_prior_codes_create(const ar_prior_config *c, const ar_prior_shape *shape, error *err);
void ar_prior_codes_destroy(ar_prior_codes *k); /* NULL is harmless */

/* Computes all of them from embeddings [count][E] of pictures and how near their captions are, [count]. */
bool ar_prior_codes_fit(ar_prior_codes *k, device *d, const float *pictures, const float *near, int64_t count,
                        error *err);

/* Declares their entries in the store, which get memory with the others; whether a name is one's; and copies
 * them there and back. */
bool ar_prior_codes_declare(store *s, const ar_prior_config *c, const ar_prior_shape *shape, error *err);
bool ar_prior_codes_has(const char *name);
bool ar_prior_codes_write(const ar_prior_codes *k, store *s, error *err);
bool ar_prior_codes_read(ar_prior_codes *k, store *s, error *err);

/* An embedding [E] to the buckets [D] of its components, and back to one of length 1. */
void ar_prior_codes_encode(const ar_prior_codes *k, const float *embedding, int32_t *buckets);
void ar_prior_codes_decode(const ar_prior_codes *k, const int32_t *buckets, float *embedding);
/* The bucket of a nearness; and one drawn from the highest `share` of the training pictures', for embedding
 * `number` of `seed`. */
int64_t ar_prior_codes_near(const ar_prior_codes *k, float near);
int64_t ar_prior_codes_draw_near(const ar_prior_codes *k, double share, uint64_t seed, int64_t number);

#endif

/* embedding.h -- what either prior is asked for: embeddings of pictures that a caption could have.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_EMBEDDING_H
#define DALLE_CL_MODELS_UNCLIP_EMBEDDING_H

#include "host/base/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct embedding_request {
    const char *caption; /* UTF-8 */
    int64_t count, first;
    uint64_t seed;   /* embedding number i depends on (model, caption, seed, i) only */
    double guidance; /* 1 = as learned; < 0: the model's own */
    /* of a diffusion prior */
    const char *spacing; /* NULL: the model's own */
    int ddim;            /* 1, 0, or < 0: the model's own */
    double eta;          /* < 0: the model's own */
    int64_t
        candidates; /* of so many the nearest to the caption is given back (2 in the paper); 0: the model's */
    /* of an autoregressive one */
    double temperature;                                           /* < 0: the model's own */
    bool (*progress)(void *context, int64_t done, int64_t total); /* may be NULL; false stops */
    void *context;
} embedding_request;

/* Along the great circle from a to b, both [size] of length 1: at `share` 0 it is a, at 1 it is b (arXiv
 * 2204.06125, 3.2).  Opposite ends have no such circle: then the straight line is taken, made 1 long. */
void embedding_slerp(const float *a, const float *b, int64_t size, double share, float *out);
/* The same for vectors of any length, such as noise: their directions go along the circle, and the length
 * goes straight from the one to the other. */
void embedding_between(const float *a, const float *b, int64_t size, double share, float *out);
/* Makes x [size] 1 long.  False: it has no direction, being 0 or no numbers, and stays as it is. */
bool embedding_norm(float *x, int64_t size);
/* What leads from one to the other, 1 long: norm(to - from) (3.3).  False: nothing does. */
bool embedding_difference(const float *from, const float *to, int64_t size, float *out);

#endif

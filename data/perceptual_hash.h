/* perceptual_hash.h -- pictures that look alike, whatever their size, format and compression.
 * A picture's mark: of its brightness, brought to 32 x 32 by area, the signs of the 64 lowest frequencies of
 * the cosine transform but the mean, against their median (Zauner 2010, "Implementation and benchmarking of
 * perceptual image hash functions"); and the mean colours of its four quarters, for without them a red and a
 * blue heart are one.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_PERCEPTUAL_HASH_H
#define DALLE_CL_DATA_PERCEPTUAL_HASH_H

#include "data/image.h"

#define PERCEPTUAL_HASH_MOST   16 /* the largest distance that is searched */
#define PERCEPTUAL_HASH_COLOUR 4  /* levels of 255 by which colours of alike pictures differ at most */

typedef struct perceptual_hash {
    uint64_t bits;
    uint8_t colour[12]; /* quarters from left to right, then down; red, green, blue */
    int64_t sample;     /* whose it is; the caller's */
} perceptual_hash;

bool perceptual_hash_of(const image *picture, perceptual_hash *out, error *err);
/* How many of the 64 bits differ; 65 where colours do. */
int perceptual_hash_distance(const perceptual_hash *a, const perceptual_hash *b);

/* Sorts `group[i]`, for each of `count` marks, to the lowest i that it is linked with by pairs at most
 * `distance` apart; itself where there is none.  Compares only marks that agree in one of several pieces, so
 * that time grows little faster than their number.  Marks need not be sorted. */
bool perceptual_hash_group(const perceptual_hash *marks, int64_t count, int distance, int64_t *group,
                           error *err);

#endif

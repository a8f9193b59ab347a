/* gallery.h -- which real picture of a data set a drawing comes nearest to.
 * Pictures are compared as thumbnails of 16 x 16: every value is the mean of its box, rounded to 8 bits after
 * the rows and again after the columns, as Pillow's BOX filter has it (exactly so for squares).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TOOLS_GALLERY_H
#define DALLE_CL_TOOLS_GALLERY_H

#include "data/dataset.h"

enum { THUMB_SIDE = 16, THUMB_VALUES = THUMB_SIDE * THUMB_SIDE * 3 };

typedef struct thumb {
    uint8_t value[THUMB_VALUES];
} thumb;

/* A picture below 16 pixels a side is an error. */
bool thumb_make(const image *picture, thumb *out, error *err);
int64_t thumb_difference(const thumb *a, const thumb *b); /* sum of the values' squared differences */

/* The thumbnails of a set's real pictures, in the set's order. */
typedef struct gallery {
    thumb *thumbs;
    int64_t *index; /* in the set */
    int64_t count;
} gallery;

/* Whether the sample is a picture of its own, not another one in other colours (its key says "-hue-"). */
bool gallery_is_real(const dataset_sample *sample);
bool gallery_open(gallery *g, const dataset *set, error *err);
void gallery_close(gallery *g);

/* *nearest: the nearest picture's index in the set.  Returns how many pictures are nearer than the one with
 * index `right`, or -1 if that is not in the gallery; pictures that look the same do not count as nearer. */
int64_t gallery_rank(const gallery *g, const thumb *drawn, int64_t right, int64_t *nearest);

#endif

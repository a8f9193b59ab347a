/* image_taps.h -- of which pixels of a row or column a pixel of a resized one is made, and by which weights:
 * one table for every filter.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_IMAGE_TAPS_H
#define DALLE_CL_DATA_IMAGE_TAPS_H

#include "data/image.h"

/* Output pixel i is the sum over j < count[i] of weight[i * most + j] times input pixel first[i] + j; those
 * beyond the last input pixel repeat it.  The weights of an output pixel sum to one. */
typedef struct image_taps {
    int most;
    int *first, *count;
    double *weight;
} image_taps;

/* Any filter but IMAGE_AREA, as Pillow has it: widened when shrinking; what lies beyond the edge is left
 * out. */
bool image_taps_make(image_taps *t, image_filter filter, int in, int out, error *err);
/* IMAGE_AREA, or TensorFlow's ResizeArea with aligned corners. */
bool image_taps_make_area(image_taps *t, int in, int out, bool align_corners, error *err);
void image_taps_free(image_taps *t); /* also what failed, or is all zeros */

/* Both ways by whole numbers, rows first and rounded and clipped to 8 bits in between. */
bool image_taps_apply(const image *in, const image_taps *rows, const image_taps *columns, image *out,
                      error *err);

#endif

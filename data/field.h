/* field.h -- a picture in floating point, for what would lose too much if each step were rounded: blurs,
 * resizing, noise.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_FIELD_H
#define DALLE_CL_DATA_FIELD_H

#include "data/image_taps.h"

typedef struct field {
    int width, height;
    float *at; /* [height, width, 3], levels 0 to 255 */
} field;

bool field_create(field *f, int width, int height, error *err); /* zeros */
void field_free(field *f); /* and leaves it empty; harmless on an empty one */
bool field_read(field *f, const image *from, error *err);
void field_write(const field *f, uint8_t *out); /* rounded and clipped, [height, width, 3] */
void field_clip(field *f);                      /* to 0..255 */

/* Weights that a pixel is the sum by: [side, side], side odd, at most FIELD_KERNEL. */
enum { FIELD_KERNEL = 25 };
typedef struct field_kernel {
    int side;
    float weight[FIELD_KERNEL * FIELD_KERNEL];
} field_kernel;
/* A Gaussian with the mean (x, y), counted from the middle pixel, and of the given variances along the
 * direction `angle` and across; its weights sum to one. */
void field_kernel_gaussian(field_kernel *k, int side, double x, double y, double along, double across,
                           double angle);
/* Each pixel becomes the sum of those around it, weight [0][0] times the one up and to the left; beyond
 * the edge the picture is mirrored about its last pixel. */
bool field_convolve(field *f, const field_kernel *k, error *err);

/* Keeps every `step`-th pixel of every `step`-th row, the first among them. */
void field_thin(field *f, int step);

/* How a field is resized: by the 2 or 4 nearest pixels whatever the size (as OpenCV, whose cubic has a =
 * -3/4), by the mean of the area when shrinking and the 2 nearest when not (OpenCV too), or by a cubic
 * filter that is widened when shrinking (as MATLAB and Pillow). */
typedef enum field_filter { FIELD_LINEAR, FIELD_CUBIC, FIELD_AREA, FIELD_SMOOTH } field_filter;
bool field_resize(field *f, field_filter filter, int width, int height, error *err);

/* in [height, width, 3] -> out [out_height, out_width, 3] by tables for both axes; `between` has room for
 * [height, out_width, 3].  Values may be of any range. */
void field_resample(const float *in, int width, int height, const image_taps *rows, const image_taps *columns,
                    int out_width, int out_height, float *between, float *out);

#endif

/* degrade_bsr.h -- the steps of BSRGAN's degradation, each by itself, and their order; see degrade.h.
 * Names: degrade_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DEGRADE_BSR_H
#define DALLE_CL_DATA_DEGRADE_BSR_H

#include "data/degrade.h"
#include "data/field.h"

/* The draws of one sample, by their number, and then those of noise. */
enum {
    DEGRADE_DRAW_SHARE,
    DEGRADE_DRAW_SIGMA,
    DEGRADE_DRAW_HALVE,
    DEGRADE_DRAW_HALVE_BY,
    DEGRADE_DRAW_ORDER,                           /* 5 */
    DEGRADE_DRAW_BLUR = DEGRADE_DRAW_ORDER + 5,   /* 5, for each of two */
    DEGRADE_DRAW_SHRINK = DEGRADE_DRAW_BLUR + 10, /* 3 */
    DEGRADE_DRAW_LAST = DEGRADE_DRAW_SHRINK + 3,
    DEGRADE_DRAW_NOISE,                          /* 14 */
    DEGRADE_DRAW_JPEG = DEGRADE_DRAW_NOISE + 14, /* 3 */
    DEGRADE_DRAWS = 64
};

/* What is done to a picture, in an order that is drawn. */
typedef enum degrade_step {
    DEGRADE_BLUR_ONE,
    DEGRADE_BLUR_TWO,
    DEGRADE_SHRINK, /* by a drawn factor, or to every scale-th pixel of a blurred picture */
    DEGRADE_RESIZE, /* to 1/scale of what it was before DEGRADE_SHRINK, which stands before it */
    DEGRADE_NOISE,
    DEGRADE_JPEG,
    DEGRADE_STEPS
} degrade_step;
void degrade_order(const philox *d, degrade_step order[DEGRADE_STEPS]);

/* Blur number `which`, 0 or 1, for a picture of which `scale` pixels a side become one, `width` times as
 * wide. */
void degrade_blur_kernel(const philox *d, int which, int scale, double width, field_kernel *k);
bool degrade_shrink(field *f, int scale, const philox *d, error *err);
void degrade_noise(field *f, const degradation *how, const philox *d);
/* There and back by JPEG of that quality. */
bool degrade_jpeg(field *f, int quality, error *err);
/* All of it: the picture becomes one of size x size. */
bool degrade_bsr(field *f, int size, const degradation *how, const philox *d, error *err);

#endif

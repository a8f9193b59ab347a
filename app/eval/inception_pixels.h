/* inception_pixels.h -- pictures as Inception sees them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_INCEPTION_PIXELS_H
#define DALLE_CL_EVAL_INCEPTION_PIXELS_H

#include "app/eval/inception.h"

/* rgb [side][side][3] -> pixels [299][299][3], from -1 to 1, in float as torch computes it. */
void inception_pixels(const uint8_t *rgb, int64_t side, inception_resize how, float *pixels);

#endif

/* quality.h -- how close a picture is to another of its size: PSNR, and SSIM as Wang, Bovik, Sheikh and
 * Simoncelli (2004) define it, and their sums over a set.
 *
 * Pictures are [side][side][3] bytes.  SSIM: windows of 11 x 11 pixels under a Gaussian of sigma 1.5, K1 =
 * 0.01, K2 = 0.03, L = 255, only windows that lie wholly in the picture, each channel by itself, the mean of
 * the three; it is scikit-image's structural_similarity(channel_axis=2, gaussian_weights=True, sigma=1.5,
 * use_sample_covariance=False, data_range=255).  All sums in double precision.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_QUALITY_H
#define DALLE_CL_EVAL_QUALITY_H

#include "app/eval/mean.h"
#include <stdbool.h>

enum { QUALITY_WINDOW = 11 }; /* pixels a side of SSIM's window: smaller pictures have no SSIM */

/* The mean of the squared differences, in units of 255 squared: 0 to 65025. */
double quality_squared_error(const uint8_t *a, const uint8_t *b, int64_t side);

/* 10 log10(255^2 / squared error), in decibel; infinite for 0. */
double quality_psnr(double squared_error);

/* Mean SSIM, -1 to 1; NaN where memory is short or side < QUALITY_WINDOW. */
double quality_ssim(const uint8_t *a, const uint8_t *b, int64_t side);

/* Over pairs of pictures: start with zeros. */
typedef struct quality {
    mean squared_error;
    mean psnr;     /* of the pairs that differ: that of equal ones is infinite */
    mean ssim;     /* none of pictures that are too small */
    int64_t equal; /* pairs without any difference */
} quality;
/* False where memory is short. */
bool quality_add(quality *q, const uint8_t *a, const uint8_t *b, int64_t side);

#endif

/* quality.h -- how close a picture is to another of its size: PSNR, and SSIM as Wang, Bovik, Sheikh and Simoncelli
 * (2004) define it, and their sums over a set.
 *
 * Pictures are [side][side][3] bytes.  SSIM: windows of 11 x 11 pixels under a Gaussian of sigma 1.5, K1 = 0.01,
 * K2 = 0.03, L = 255, only windows that lie wholly in the picture, each channel by itself, the mean of the three; it is
 * scikit-image's structural_similarity(channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
 * data_range=255).  All sums in double precision.
 * SPDX-License-Identifier: MIT */
#ifndef APP_EVAL_QUALITY_H
#define APP_EVAL_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

enum { QUALITY_WINDOW = 11 }; /* pixels a side of SSIM's window: smaller pictures have no SSIM */

/* The mean of the squared differences, in units of 255 squared: 0 to 65025. */
double quality_squared_error(const uint8_t *a, const uint8_t *b, int64_t side);

/* 10 log10(255^2 / squared error), in decibel; infinite for 0. */
double quality_psnr(double squared_error);

/* Mean SSIM, -1 to 1; NaN where memory is short or side < QUALITY_WINDOW. */
double quality_ssim(const uint8_t *a, const uint8_t *b, int64_t side);

/* Sums over pictures: start with zeros, add each pair. */
typedef struct quality_sums {
    int64_t pictures;
    int64_t equal; /* pairs without any difference: their PSNR is infinite, and is left out of `psnr` */
    double squared_error; /* sum over all pictures of their mean */
    double psnr;          /* sum over the pictures that are not equal */
    double ssim;          /* sum over all */
    double ssim_squares;
    double psnr_squares;
} quality_sums;

/* False where memory is short. */
bool quality_add(quality_sums *sums, const uint8_t *a, const uint8_t *b, int64_t side);

#endif

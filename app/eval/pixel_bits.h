/* pixel_bits.h -- what pictures cost given their tokens: -log2 of the probability of their bytes under the
 * decoder.
 *
 * logit-Laplace (A.3 of arXiv 2102.12092): a density on (0, 1); byte v lies at epsilon + v d, d = (1 - 2
 * epsilon) / 255, and has the mass between the middles to its neighbours, the outermost two all that is
 * beyond them.  The 256 masses are a distribution, so that this is a code length; the density times d, as
 * training says it, is not where the density is narrower than a byte.
 *
 * Pixel loss: no scale was trained.  What is taken is the two-sided geometric distribution of the differences
 * between bytes and their reconstruction, P(k) = (1 - t) / (1 + t) t^|k|, whose t is that which makes the set
 * likeliest.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_PIXEL_BITS_H
#define DALLE_CL_EVAL_PIXEL_BITS_H

#include <stdint.h>

typedef struct pixel_bits {
    double upper[256]; /* logit of each byte's upper end; the last is infinite */
    double middle[256], step, mapped[256];
} pixel_bits;

pixel_bits pixel_bits_tables(double epsilon);
/* Bits of one byte, for mu and ln b. */
double pixel_bits_of(const pixel_bits *t, uint8_t value, double mean, double log_scale);
/* -log2 (density at the byte x d), which is what training's figure is the mean of. */
double pixel_bits_density(const pixel_bits *t, uint8_t value, double mean, double log_scale);
/* Sums over `pixels` pixels: stats [pixels][6] are three mu and three ln b, bytes [pixels][3]. */
void pixel_bits_sum(const pixel_bits *t, const float *stats, const uint8_t *bytes, int64_t pixels,
                    double *bits, double *density);

/* Bits a value of pictures whose differences have the mean absolute value `mean`, where t is what makes a
 * set of mean `of_set` likeliest; infinite where that is 0 and `mean` is not. */
double pixel_bits_geometric(double mean, double of_set);

#endif

/* degrade.h -- a picture made small and bad, as an upsampler may be given one: so it learns to trust edges,
 * noise and colours less than if what it enlarges were always perfect.
 * none  each pixel the mean of its area.
 * blur  that, then a Gaussian over 3 x 3 pixels (the first upsampler of arXiv 2204.06125; 2104.07636).
 * bsr   BSRGAN's degradations (arXiv 2103.14006) in LDM's choice of them (2112.10752: the second upsampler):
 *       in random order two blurs, shrinking twice, noise and JPEG, and at last JPEG; where four pixels
 *       become one, now and then the picture is halved before.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DEGRADE_H
#define DALLE_CL_DATA_DEGRADE_H

#include "data/augment.h"

typedef enum degrade_kind { DEGRADE_NONE, DEGRADE_BLUR, DEGRADE_BSR } degrade_kind;

typedef struct degradation {
    degrade_kind kind;
    double share;                   /* of the pictures that are corrupted; the others: none */
    double sigma_least, sigma_most; /* of blur: the standard deviation, in pixels, is drawn between them */
    double blurs; /* of bsr: what the widths of its two blurs are multiplied by; 1 is BSRGAN's */
    double noise_least, noise_most; /* of bsr: that of the noise, in levels of 255 */
    int jpeg_least, jpeg_most;      /* of bsr: quality, 1 to 100 */
} degradation;

/* `in`, a square whose side is a multiple of `size`, as `size` x `size` RGB pixels.  All draws are named
 * by the dice's seed, epoch and sample: nothing else decides what it becomes. */
bool degrade(const image *in, int size, const degradation *how, const augment_dice *dice, uint8_t *out,
             error *err);

#endif

/* upsampler_check.h -- how good an upsampler is on pictures whose large form is known: the error of what
 * it says of noised ones, always the same ones with the same noise, and what it makes of small ones.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_CHECK_H
#define DALLE_CL_MODELS_UPSAMPLER_UPSAMPLER_CHECK_H

#include "models/upsampler/upsampler_draw.h"

typedef struct upsampler_check upsampler_check;
/* Over the averaged parameters, if the settings have some; compiled when first used. */
upsampler_check *upsampler_check_create(store *s, const upsampler_config *c, error *err);
void upsampler_check_destroy(upsampler_check *k);

/* The loss, and the mean squared error in it, over pictures real [count][S][S][3]: their small forms are
 * the means of areas, times and noise drawn by the settings' seed. */
bool upsampler_check_loss(upsampler_check *k, const uint8_t *real, int64_t count, double *loss,
                          double *mean_error, error *err);

/* The pictures' small forms [count][F][F][3]; those enlarged by the plain filter, and as the upsampler
 * draws them, [count][S][S][3]. */
bool upsampler_check_shrink(const upsampler_config *c, const uint8_t *real, int64_t count, uint8_t *low,
                            error *err);
bool upsampler_check_plain(const upsampler_config *c, const uint8_t *low, int64_t count, uint8_t *made,
                           error *err);
bool upsampler_check_draw(upsampler_check *k, const uint8_t *low, int64_t count, uint8_t *made, error *err);

/* Over pictures [count][size][size][3]: the peak signal-to-noise ratio in dB of those made, all values
 * together; and by how many dB the mean square of differences between neighbours is above the real
 * pictures': below 0 they are blurred. */
double upsampler_check_psnr(const uint8_t *made, const uint8_t *real, int64_t count, int64_t size);
double upsampler_check_detail(const uint8_t *made, const uint8_t *real, int64_t count, int64_t size);

#endif

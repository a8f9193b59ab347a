/* degrade.c -- see degrade.h.
 * SPDX-License-Identifier: MIT */
#include "data/degrade_bsr.h"
#include <string.h>

static bool shrink(const image *in, int size, field *f, error *err)
{
    image small;
    if (!image_resize(in, IMAGE_AREA, size, size, &small, err)) return false;
    bool ok = field_read(f, &small, err);
    image_free(&small);
    return ok;
}

static bool blur(field *f, const degradation *how, const philox *d, error *err)
{
    double share = (double)philox_uniform(d, DEGRADE_DRAW_SIGMA);
    double sigma = how->sigma_least + (how->sigma_most - how->sigma_least) * share;
    field_kernel k;
    if (sigma <= 0) return true;
    field_kernel_gaussian(&k, 3, 0, 0, sigma * sigma, sigma * sigma, 0);
    return field_convolve(f, &k, err);
}

bool degrade(const image *in, int size, const degradation *how, const augment_dice *dice, uint8_t *out,
             error *err)
{
    CHECK(in->width == in->height && in->width % size == 0, "%d x %d pixels to %d", in->width, in->height,
          size);
    const philox d = { dice->seed, dice->epoch, philox_stream("data.degrade") + dice->sample };
    bool spared = (double)philox_uniform(&d, DEGRADE_DRAW_SHARE) >= how->share;
    degrade_kind kind = spared ? DEGRADE_NONE : how->kind;
    field f = { 0 };
    bool ok = kind == DEGRADE_BSR
                  ? field_read(&f, in, err) && degrade_bsr(&f, size, how, &d, err)
                  : shrink(in, size, &f, err) && (kind == DEGRADE_NONE || blur(&f, how, &d, err));
    if (ok) field_write(&f, out);
    field_free(&f);
    return ok;
}

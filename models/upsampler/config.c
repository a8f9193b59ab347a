/* config.c -- the upsampler's table of settings and the checks between them.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/upsampler.h"

#include "models/fit.h"

#include <math.h>

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF upsampler_config
#include "host/base/config_def.h"
#include "models/upsampler/config.def"
#include "host/base/config_undef.h"
};

const config_table upsampler_config_table = { "upsampler", fields, (int)(sizeof fields / sizeof *fields),
                                              sizeof(upsampler_config), NULL };

/* The network is the same for pictures of any size. */
const char *const upsampler_sizes[] = { "channels", "depth",    "mult",           "groups",      "enlarge",
                                        "predicts", "variance", "noise_schedule", "noise_steps", NULL };

void upsampler_fit(upsampler_config *c, int64_t pictures, bool *chosen)
{
    enum { STEPS = 4000, LEAST = 400, GRIDS = 6 };
    bool steps = fit_training(&c->training, STEPS, LEAST, GRIDS, pictures);
    if (chosen) *chosen = steps;
}

int64_t upsampler_window(const upsampler_config *c)
{
    return llround((double)c->size * c->crop);
}

int64_t upsampler_low_window(const upsampler_config *c)
{
    return upsampler_window(c) * c->from / c->size;
}

static bool sizes_fit(const upsampler_config *c, error *err)
{
    int levels = unet_list(c->mult, (int64_t[UNET_LEVELS]){ 0 });
    if (levels < 1)
        return error_set(err, ERROR_USAGE, "upsampler: mult = %s is no list of 1 to %d whole numbers",
                         c->mult, UNET_LEVELS);
    int64_t factor = (int64_t)1 << (levels - 1), side = upsampler_window(c);
    if (c->size % c->from || c->size <= c->from)
        return error_set(err, ERROR_USAGE,
                         "upsampler: size %lld is no multiple of the %lld pixels that it is made from",
                         (long long)c->size, (long long)c->from);
    if (c->size % factor)
        return error_set(
            err, ERROR_USAGE,
            "upsampler: size %lld cannot be halved from level to level; %d levels need a multiple of %lld",
            (long long)c->size, levels, (long long)factor);
    if (side % factor || side % (c->size / c->from) || side < 1)
        return error_set(
            err, ERROR_USAGE,
            "upsampler: crop %g of %lld pixels is %lld; it must be a multiple of %lld, as %d levels "
            "need, and of %lld, of which one is made",
            c->crop, (long long)c->size, (long long)side, (long long)factor, levels,
            (long long)(c->size / c->from));
    return true;
}

static bool in_order(const char *what, double least, double most, error *err)
{
    return least <= most ||
           error_set(err, ERROR_USAGE, "upsampler: %s_least %g is above the largest, %g", what, least, most);
}

bool upsampler_config_check(const upsampler_config *c, error *err)
{
    return sizes_fit(c, err) && in_order("blur_sigma", c->blur_sigma_least, c->blur_sigma, err) &&
           in_order("noise", c->noise_least, c->noise_most, err) &&
           in_order("jpeg", (double)c->jpeg_least, (double)c->jpeg_most, err) &&
           upsampler_network_check(c, err) && training_check(&c->training, "upsampler", err);
}

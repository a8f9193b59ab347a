/* config.c -- CLIP's table of settings and the checks between them.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip.h"

#include "models/fit.h"

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF clip_config
#include "host/base/config_def.h"
#include "models/clip/config.def"
#include "host/base/config_undef.h"
};

/* What the parts of a batch are called beside `accumulate`. */
static const config_alias aliases[] = { { "parts", "accumulate" }, { NULL, NULL } };

const config_table clip_config_table = { "clip", fields, (int)(sizeof fields / sizeof *fields),
                                         sizeof(clip_config), aliases };

const char *const clip_sizes[] = { "image_size",  "patch",       "image_layers", "image_width",
                                   "image_heads", "text_layers", "text_width",   "text_heads",
                                   "mlp_factor",  "embedding",   "activation",   NULL };

void clip_fit(clip_config *c, int64_t pictures, bool *chosen)
{
    enum { STEPS = 3000, LEAST = 300, GRIDS = 3 };
    bool steps = fit_training(&c->training, STEPS, LEAST, GRIDS, pictures);
    if (chosen) *chosen = steps;
}

int64_t clip_patches(const clip_config *c)
{
    int64_t side = c->image_size / c->patch;
    return side * side;
}

int64_t clip_rows(const clip_config *c)
{
    return c->text_vocabulary + c->end_row;
}

static bool heads_fit(const char *tower, int64_t width, int64_t heads, error *err)
{
    return width % heads == 0 ||
           error_set(err, ERROR_USAGE, "clip: %s_width %lld is not divisible by %lld %s_heads", tower,
                     (long long)width, (long long)heads, tower);
}

bool clip_config_check(const clip_config *c, error *err)
{
    if (c->image_size % c->patch)
        return error_set(err, ERROR_USAGE, "clip: image_size %lld is not divisible by patch %lld",
                         (long long)c->image_size, (long long)c->patch);
    if (!heads_fit("image", c->image_width, c->image_heads, err) ||
        !heads_fit("text", c->text_width, c->text_heads, err))
        return false;
    if (c->text_tokens == 1 || c->text_tokens == 2)
        return error_set(err, ERROR_USAGE,
                         "clip: text_tokens %lld leaves a caption no room beside its end; at least 3",
                         (long long)c->text_tokens);
    if (c->recompute && c->accumulate > 1)
        return error_set(err, ERROR_USAGE,
                         "clip: recompute=yes with a batch in %lld parts, which are computed again as they "
                         "are; use one of the two",
                         (long long)c->accumulate);
    return training_check_split(&c->training, "clip", err);
}

/* config.c -- the dVAE's table of settings and the checks between them.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae.h"

#include "models/fit.h"

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF dvae_config
#include "host/base/config_def.h"
#include "models/dvae/config.def"
#include "host/base/config_undef.h"
};

const config_table dvae_config_table = { "dvae", fields, (int)(sizeof fields / sizeof *fields),
                                         sizeof(dvae_config), NULL };

const char *const dvae_sizes[] = {
    "channels",   "groups",  "blocks", "codes",      "decoder_channels", "quantiser", "code_channels",
    "gain_power", "epsilon", "",       "image_size", "reconstruction",   NULL
};

int64_t dvae_tokens_side(const dvae_config *c)
{
    return c->image_size >> (c->groups - 1);
}

static int64_t fit_codes(int64_t tokens, int64_t most)
{
    int64_t codes = 16;
    while (codes < most && codes * 2 <= tokens / 6) codes *= 2;
    return codes;
}

void dvae_fit(dvae_config *c, int64_t pictures, bool *chosen)
{
    enum { STEPS = 2400, LEAST = 200, GRIDS = 6 };
    int64_t side = dvae_tokens_side(c);
    bool steps = fit_training(&c->training, STEPS, LEAST, GRIDS, pictures);
    if (c->codes == 0) c->codes = fit_codes(pictures * side * side, 32 * side);
    if (chosen) *chosen = steps;
}

bool dvae_config_check(const dvae_config *c, error *err)
{
    int64_t factor = (int64_t)1 << (c->groups - 1);
    if (c->image_size % factor || c->image_size < factor)
        return error_set(
            err, ERROR_USAGE,
            "dvae: image_size %lld is not divisible by %lld, the factor of %lld groups; use %lld",
            (long long)c->image_size, (long long)factor, (long long)c->groups,
            (long long)((c->image_size + factor - 1) / factor * factor));
    if (c->codes < 2)
        return error_set(err, ERROR_USAGE, "dvae: codes %lld is no vocabulary; at least 2, or 0 = by the set",
                         (long long)c->codes);
    if (c->channels % 4)
        return error_set(err, ERROR_USAGE,
                         "dvae: channels %lld is not divisible by 4, as the blocks' bottleneck needs",
                         (long long)c->channels);
    return training_check(&c->training, "dvae", err);
}

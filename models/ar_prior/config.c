/* config.c -- the autoregressive prior's table of settings and the checks between them.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior.h"

#include "models/fit.h"

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF ar_prior_config
#include "host/base/config_def.h"
#include "models/ar_prior/config.def"
#include "host/base/config_undef.h"
};

const config_table ar_prior_config_table = { "ar-prior", fields, (int)(sizeof fields / sizeof *fields),
                                             sizeof(ar_prior_config), NULL };

const char *const ar_prior_sizes[] = { "dimensions", "buckets",    "near_buckets", "layers",
                                       "size",       "heads",      "mlp_factor",   "text_layers",
                                       "text_width", "text_heads", "edges",        NULL };

void ar_prior_fit(ar_prior_config *c, int64_t pictures, bool *chosen)
{
    enum { STEPS = 3000, LEAST = 300, GRIDS = 3 };
    bool steps = fit_training(&c->training, STEPS, LEAST, GRIDS, pictures);
    if (chosen) *chosen = steps;
}

static bool divisible(int64_t size, const char *what, int64_t heads, const char *by, error *err)
{
    return size % heads == 0 || error_set(err, ERROR_USAGE, "ar-prior: %s %lld is not divisible by %lld %s",
                                          what, (long long)size, (long long)heads, by);
}

bool ar_prior_config_check(const ar_prior_config *c, const ar_prior_shape *shape, error *err)
{
    if (!divisible(c->size, "size", c->heads, "heads", err) ||
        !divisible(c->text_width, "text_width", c->text_heads, "text_heads", err))
        return false;
    if (shape && c->text_tokens < 1)
        return error_set(err, ERROR_USAGE, "ar-prior: text_tokens 0 leaves captions no room; at least 1");
    if (shape && c->dimensions > shape->embedding)
        return error_set(err, ERROR_USAGE,
                         "ar-prior: an embedding of %lld numbers has no %lld components; use "
                         "dimensions=%lld or fewer",
                         (long long)shape->embedding, (long long)c->dimensions, (long long)shape->embedding);
    return training_check_split(&c->training, "ar-prior", err);
}

/* config.c -- the prior's table of settings and the checks between them.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior.h"

#include "models/fit.h"

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF prior_config
#include "host/base/config_def.h"
#include "models/prior/config.def"
#include "host/base/config_undef.h"
};

static const config_alias aliases[] = { { "similarity_known", NULL },
                                        { "similarity_by", NULL },
                                        { NULL, NULL } };

const config_table prior_config_table = { "prior", fields, (int)(sizeof fields / sizeof *fields),
                                          sizeof(prior_config), aliases };

const char *const prior_sizes[] = { "layers",         "size", "heads",     "mlp_factor", "attention",
                                    "tie_embeddings", "",     "row_reach", "window",     NULL };

void prior_fit(prior_config *c, int64_t pictures, bool *chosen)
{
    enum { STEPS = 3000, LEAST = 300, GRIDS = 3 };
    bool steps = fit_training(&c->training, STEPS, LEAST, GRIDS, pictures);
    if (chosen) *chosen = steps;
}

bool prior_config_check(const prior_config *c, const prior_shape *shape, error *err)
{
    if (c->size % c->heads)
        return error_set(err, ERROR_USAGE, "prior: size %lld is not divisible by %lld heads",
                         (long long)c->size, (long long)c->heads);
    if (c->window % 2 == 0)
        return error_set(err, ERROR_USAGE,
                         "prior: window %lld is even; the convolution mask needs an odd one",
                         (long long)c->window);
    bool open = c->text_tokens == 0 && !shape; /* still to be chosen by the set */
    if (c->text_tokens < 2 && !open)
        return error_set(err, ERROR_USAGE, "prior: text_tokens %lld leaves nothing to predict; at least 2",
                         (long long)c->text_tokens);
    if (shape && shape->side < 1)
        return error_set(err, ERROR_USAGE, "prior: %lld image tokens a side; the dVAE gives none",
                         (long long)shape->side);
    return training_check_scaled(&c->training, "prior", err);
}

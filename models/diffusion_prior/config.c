/* config.c -- the diffusion prior's table of settings and the checks between them.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior.h"

#include "models/fit.h"

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF diffusion_prior_config
#include "host/base/config_def.h"
#include "models/diffusion_prior/config.def"
#include "host/base/config_undef.h"
};

const config_table diffusion_prior_config_table = { "diffusion-prior", fields,
                                                    (int)(sizeof fields / sizeof *fields),
                                                    sizeof(diffusion_prior_config), NULL };

const char *const diffusion_prior_sizes[] = {
    "layers",      "size",           "heads",    "mlp_factor",      "standardise", "",
    "noise_steps", "noise_schedule", "predicts", "embedding_scale", NULL
};

void diffusion_prior_fit(diffusion_prior_config *c, int64_t pictures, bool *chosen)
{
    enum { STEPS = 6000, LEAST = 600, GRIDS = 3 };
    bool steps = fit_training(&c->training, STEPS, LEAST, GRIDS, pictures);
    if (chosen) *chosen = steps;
}

bool diffusion_prior_process(const diffusion_prior_config *c, diffusion *out, error *err)
{
    static const diffusion_predicts predicts[] = {
        [diffusion_prior_predicts_start] = DIFFUSION_START,
        [diffusion_prior_predicts_noise] = DIFFUSION_NOISE,
        [diffusion_prior_predicts_velocity] = DIFFUSION_VELOCITY,
    };
    static const diffusion_variance variances[] = {
        [diffusion_prior_variance_analytic] = DIFFUSION_ANALYTIC,
        [diffusion_prior_variance_posterior] = DIFFUSION_POSTERIOR,
        [diffusion_prior_variance_beta] = DIFFUSION_BETA,
    };
    bool cosine = c->noise_schedule == diffusion_prior_noise_cosine;
    return diffusion_make(out, cosine ? DIFFUSION_COSINE : DIFFUSION_LINEAR, c->noise_steps,
                          predicts[c->predicts], variances[c->variance], err);
}

/* That the spacing is one of the process. */
static bool check_spacing(const diffusion_prior_config *c, error *err)
{
    diffusion whole, some;
    if (!diffusion_prior_process(c, &whole, err)) return false;
    bool ok = diffusion_respace(&whole, c->spacing, &some, err);
    diffusion_free(&whole);
    if (!ok) return error_prefix(err, "diffusion-prior: spacing");
    diffusion_free(&some);
    return true;
}

bool diffusion_prior_config_check(const diffusion_prior_config *c, error *err)
{
    if (c->size % c->heads)
        return error_set(err, ERROR_USAGE, "diffusion-prior: size %lld is not divisible by %lld heads",
                         (long long)c->size, (long long)c->heads);
    if (c->size % 2)
        return error_set(
            err, ERROR_USAGE,
            "diffusion-prior: size %lld is odd; the timestep's sines and cosines need an even one",
            (long long)c->size);
    return check_spacing(c, err) && training_check_split(&c->training, "diffusion-prior", err);
}

/* record_prior.c -- every graph of a prior's run and of its use, without data.
 * The trainer's own file is included, so that the step is the one that training builds.
 * SPDX-License-Identifier: MIT */
#define prior_train recorded_prior_train /* the linked one is another */
#include "models/prior/prior_train.c"

#include "tests/kernels/record.h"

/* Drawing, as training's sample grids do and as a model packed with 16-bit storage does, without guidance and
 * with. */
static bool draw_each(prior_trainer *t, dtype weights, error *err)
{
    static const int64_t batches[] = RECORD_BATCHES;
    store *own = store_create(t->base.device, err);
    bool ok = own != NULL;
    if (ok) store_set_weight_type(own, weights);
    for (size_t i = 0; ok && i < sizeof batches / sizeof *batches; ++i) {
        for (int guided = 0; ok && guided < 2; ++guided) {
            prior_config c = t->config;
            c.guidance = guided ? 2 : 1;
            prior_sampler *s = prior_sampler_create(own, &c, &t->shape, batches[i], false, err);
            ok = s != NULL;
            prior_sampler_destroy(s);
        }
    }
    store_destroy(own);
    return ok;
}

/* The step in 16 bits, of the published sizes: others launch the same kernels. */
static bool build_in(enum training_precision precision, const prior_trainer *as, const char *on, error *err)
{
    prior_trainer t = { .shape = as->shape, .config = as->config };
    t.config.precision = precision;
    trainer_init(&t.base, &(train_request){ .device = on }, &t.config.training, &t.config.pace);
    bool ok = trainer_open_device(&t.base, err) && build(&t, err);
    clean_up(&t);
    return ok;
}

bool record_prior(const char *preset, const dvae_config *dvae, const char *on, error *err)
{
    prior_trainer t = { .shape = { dvae_tokens_side(dvae), dvae->codes } };
    trainer_init(&t.base, &(train_request){ .device = on }, &t.config.training, &t.config.pace);
    config_defaults(&prior_config_table, &t.config);
    bool ok = preset_read(&prior_config_table, preset, &t.config, err);
    prior_fit(&t.config, RECORD_SET, NULL);
    if (t.config.text_tokens == 0) t.config.text_tokens = fit_text_tokens(RECORD_CAPTION);
    ok = ok && prior_config_check(&t.config, &t.shape, err) && trainer_open_device(&t.base, err);
    if (t.config.batch > RECORD_PICTURES) t.config.batch = RECORD_PICTURES;
    if (t.config.layers > RECORD_LAYERS) t.config.layers = RECORD_LAYERS;
    ok = ok && build(&t, err) && need_check_graph(&t, err) &&
         (t.sampler = prior_sampler_create(t.base.store, &t.config, &t.shape, 1, t.config.ema > 0, err));
    ok = ok && draw_each(&t, DTYPE_F32, err) && draw_each(&t, DTYPE_F16, err);
    if (strcmp(preset, "paper") == 0)
        ok = ok && build_in(training_precision_mixed, &t, on, err) &&
             build_in(training_precision_paper, &t, on, err);
    clean_up(&t);
    return ok;
}

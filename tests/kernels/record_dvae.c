/* record_dvae.c -- every graph of a dVAE's run and of its use, without data.
 * The trainer's own file is included, so that the step is the one that training builds.
 * SPDX-License-Identifier: MIT */
#define dvae_train recorded_dvae_train /* the linked one is another */
#include "models/dvae/dvae_train.c"

#include "tests/kernels/record.h"

/* The step in 16 bits, of the published sizes: others launch the same kernels. */
static bool build_mixed(const dvae_trainer *as, const char *on, error *err)
{
    dvae_trainer t = { .config = as->config };
    t.config.precision = training_precision_mixed;
    trainer_init(&t.base, &(train_request){ .device = on }, &t.config.training, NULL);
    bool ok = trainer_open_device(&t.base, err) && build(&t, err);
    clean_up(&t);
    return ok;
}

bool record_dvae(const char *preset, const char *on, error *err)
{
    static const int64_t batches[] = RECORD_BATCHES;
    dvae_trainer t = { 0 };
    trainer_init(&t.base, &(train_request){ .device = on }, &t.config.training, NULL);
    config_defaults(&dvae_config_table, &t.config);
    bool ok = preset_read(&dvae_config_table, preset, &t.config, err);
    dvae_fit(&t.config, RECORD_SET, NULL);
    ok = ok && dvae_config_check(&t.config, err) && trainer_open_device(&t.base, err);
    if (t.config.batch > RECORD_PICTURES) t.config.batch = RECORD_PICTURES;
    ok = ok && build(&t, err) && need_codec(&t, err);
    for (size_t i = 0; ok && i < sizeof batches / sizeof *batches; ++i) {
        dvae_codec *k = dvae_codec_create(t.base.store, &t.config, CODEC_BOTH, batches[i], false, err);
        ok = k != NULL;
        dvae_codec_destroy(k);
    }
    if (strcmp(preset, "paper") == 0) ok = ok && build_mixed(&t, on, err);
    clean_up(&t);
    return ok;
}

/* config.c -- the decoder's table of settings and the checks between them.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder.h"

#include "models/fit.h"

static const config_field fields[] = {
#define CONFIG_AS_TABLE
#define CONFIG_OF decoder_config
#include "host/base/config_def.h"
#include "models/decoder/config.def"
#include "host/base/config_undef.h"
};

const config_table decoder_config_table = { "decoder", fields, (int)(sizeof fields / sizeof *fields),
                                            sizeof(decoder_config), NULL };

const char *const decoder_sizes[] = { "size",
                                      "channels",
                                      "depth",
                                      "mult",
                                      "attention",
                                      "head",
                                      "groups",
                                      "embedding_tokens",
                                      "text_width",
                                      "text_layers",
                                      "text_heads",
                                      "clip_text",
                                      "clip_text_width",
                                      "nothing",
                                      "variance",
                                      "",
                                      "noise_steps",
                                      "noise_schedule",
                                      "predicts",
                                      NULL };

void decoder_fit(decoder_config *c, int64_t pictures, bool *chosen)
{
    enum { STEPS = 6000, LEAST = 600, GRIDS = 6 };
    bool steps = fit_training(&c->training, STEPS, LEAST, GRIDS, pictures);
    if (chosen) *chosen = steps;
}

bool decoder_process(const decoder_config *c, diffusion *out, error *err)
{
    static const diffusion_predicts predicts[] = {
        [decoder_predicts_noise] = DIFFUSION_NOISE,
        [decoder_predicts_start] = DIFFUSION_START,
        [decoder_predicts_velocity] = DIFFUSION_VELOCITY,
    };
    static const diffusion_variance variances[] = {
        [decoder_variance_learned] = DIFFUSION_LEARNED,
        [decoder_variance_posterior] = DIFFUSION_POSTERIOR,
        [decoder_variance_beta] = DIFFUSION_BETA,
    };
    bool cosine = c->noise_schedule == decoder_noise_cosine;
    return diffusion_make(out, cosine ? DIFFUSION_COSINE : DIFFUSION_LINEAR, c->noise_steps,
                          predicts[c->predicts], variances[c->variance], err);
}

/* That drawing takes steps of the process. */
static bool check_spacings(const decoder_config *c, error *err)
{
    const char *const names[] = { "decoder: spacing", "decoder: grid_spacing" }, *const texts[] = {
        c->spacing, c->grid_spacing
    };
    diffusion whole, some;
    bool ok = decoder_process(c, &whole, err);
    for (int i = 0; ok && i < 2; ++i) {
        ok = diffusion_respace(&whole, texts[i], &some, err);
        if (ok) diffusion_free(&some);
        if (!ok) error_prefix(err, "%s", names[i]);
    }
    diffusion_free(&whole);
    return ok;
}

bool decoder_config_check(const decoder_config *c, error *err)
{
    const unet_config net = decoder_unet_config(c);
    if (!unet_check(&net, "decoder", err)) return false;
    if (!c->clip_text && c->text_width % c->text_heads)
        return error_set(err, ERROR_USAGE, "decoder: text_width %lld is not divisible by %lld text_heads",
                         (long long)c->text_width, (long long)c->text_heads);
    return check_spacings(c, err) && training_check(&c->training, "decoder", err);
}

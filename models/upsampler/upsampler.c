/* upsampler.c -- the network: a U-Net of convolutions over the noised picture and the small one beside it, as
 * SR3 (arXiv 2104.07636) and guided diffusion (2105.05233) have it; and what training shows it.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/upsampler.h"

enum { COLOURS = 3 };

bool upsampler_process(const upsampler_config *c, diffusion *out, error *err)
{
    static const diffusion_predicts predicts[] = { [upsampler_predicts_noise] = DIFFUSION_NOISE,
                                                   [upsampler_predicts_start] = DIFFUSION_START,
                                                   [upsampler_predicts_velocity] = DIFFUSION_VELOCITY };
    static const diffusion_variance variances[] = { [upsampler_variance_learned] = DIFFUSION_LEARNED,
                                                    [upsampler_variance_posterior] = DIFFUSION_POSTERIOR,
                                                    [upsampler_variance_beta] = DIFFUSION_BETA };
    diffusion_schedule schedule =
        c->noise_schedule == upsampler_noise_linear ? DIFFUSION_LINEAR : DIFFUSION_COSINE;
    return diffusion_make(out, schedule, c->noise_steps, predicts[c->predicts], variances[c->variance], err);
}

static unet_config network_of(const upsampler_config *c, int64_t size)
{
    unet_config u = { .in = 2 * COLOURS,
                      .out = c->variance == upsampler_variance_learned ? 2 * COLOURS : COLOURS,
                      .size = size,
                      .channels = c->channels,
                      .depth = c->depth,
                      .groups = c->groups,
                      .dropout = c->dropout,
                      .recompute = c->recompute };
    u.levels = unet_list(c->mult, u.mult);
    return u;
}

bool upsampler_network_check(const upsampler_config *c, error *err)
{
    const unet_config u = network_of(c, upsampler_window(c));
    return unet_check(&u, upsampler_config_table.name, err);
}

tensor *upsampler_map_pixels(tensor *pixels)
{
    return op_affine(op_cast(pixels, DTYPE_F32), 2.0f / 255.0f, -1.0f);
}

tensor *upsampler_apply(graph *g, const upsampler_config *c, int64_t size, tensor *x, tensor *low,
                        tensor *time, tensor *random)
{
    const unet_config u = network_of(c, size);
    unet *w = unet_declare(g, &u);
    tensor *both = op_concat(2, (tensor *[]){ x, low }, x->rank - 1);
    return unet_apply(g, &u, w, both, time, NULL, NULL, random);
}

void upsampler_view(const upsampler_config *c, degradation *how, loader_view *low)
{
    static const degrade_kind kinds[] = { [upsampler_degrade_none] = DEGRADE_NONE,
                                          [upsampler_degrade_blur] = DEGRADE_BLUR,
                                          [upsampler_degrade_bsr] = DEGRADE_BSR };
    *how = (degradation){ .kind = kinds[c->degrade],
                          .share = c->degrade_share,
                          .sigma_least = c->blur_sigma_least,
                          .sigma_most = c->blur_sigma,
                          .blurs = c->bsr_blur,
                          .noise_least = c->noise_least,
                          .noise_most = c->noise_most,
                          .jpeg_least = (int)c->jpeg_least,
                          .jpeg_most = (int)c->jpeg_most };
    *low = (loader_view){
        .name = "low", .size = (int)upsampler_low_window(c), .same_as = "picture", .degrade = how
    };
}

/* upsampler_step.c -- see upsampler_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/upsampler/upsampler_step.h"

static void make_inputs(upsampler_step *s, const upsampler_config *c)
{
    int64_t samples = training_samples(&c->training), side = upsampler_window(c);
    const int64_t dim[4] = { samples, side, side, 3 };
    s->pixels = graph_input(s->graph, "pixels", DTYPE_U8, 4, dim);
    s->low = graph_input(s->graph, "low", DTYPE_F32, 4, dim);
    s->random = graph_input(s->graph, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    s->noise = diffusion_inputs_make(s->graph, samples);
}

static diffusion_losses loss_of(upsampler_step *s, const upsampler_config *c, const diffusion *d)
{
    tensor *noise,
        *x0 = upsampler_map_pixels(s->pixels), *x = diffusion_noise(&s->noise, x0, s->random, &noise),
        *said = upsampler_apply(s->graph, c, upsampler_window(c), x, s->low, s->noise.time, s->random);
    return diffusion_loss(d, &s->noise, x0, noise, x, said);
}

/* The figures of a part become those of the batch. */
static void gather(const division *d, diffusion_losses *l)
{
    bool same = l->error == l->loss;
    l->loss = division_mean(d, "loss", l->loss);
    l->error = same ? l->loss : division_mean(d, "error", l->error);
    if (l->bound) l->bound = division_mean(d, "bound", l->bound);
}

static void keep(const diffusion_losses *l)
{
    graph_keep(l->loss);
    graph_keep(l->error);
    if (l->bound) graph_keep(l->bound);
}

bool upsampler_step_build(upsampler_step *s, store *st, const upsampler_config *c, error *err)
{
    diffusion process;
    if (!(s->graph = graph_create(st, err)) || !upsampler_process(c, &process, err)) return false;
    graph_set_half(s->graph, training_half_type(&c->training));
    make_inputs(s, c);
    s->losses = loss_of(s, c, &process);
    diffusion_free(&process);
    const optimizer_settings o = training_optimizer(&c->training);
    optimizer_backward(s->graph, s->losses.loss, &o);
    s->division = training_division(&c->training, s->random);
    gather(&s->division, &s->losses);
    s->optimizer = optimizer_append_divided(s->graph, s->losses.loss, &o, &s->division);
    keep(&s->losses);
    return true;
}

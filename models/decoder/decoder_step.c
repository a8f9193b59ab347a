/* decoder_step.c -- see decoder_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder_step.h"

static void build_loss(decoder_step *s, const decoder_config *c, const decoder_shape *shape,
                       const diffusion *process, bool train)
{
    graph *g = s->graph;
    int64_t samples = training_samples(&c->training);
    s->pixels = graph_input(g, "pixels", DTYPE_U8, 4, (int64_t[]){ samples, c->size, c->size, 3 });
    s->condition = decoder_condition_input(g, c, shape, samples);
    s->times = diffusion_inputs_make(g, samples);
    s->random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    s->division = training_division(&c->training, s->random);

    decoder_weights w = decoder_declare(g, c, shape);
    tensor *x0 = op_affine(op_cast(s->pixels, DTYPE_F32), 1 / 127.5f, -1), *noise;
    tensor *x = diffusion_noise(&s->times, x0, s->random, &noise);
    tensor *said = decoder_predict(g, c, &w, &s->condition, x, s->times.time, train ? s->random : NULL);
    s->losses = diffusion_loss(process, &s->times, x0, noise, x, said);
}

/* Without learned variances the loss is the error. */
static void gather(const division *d, diffusion_losses *l)
{
    l->loss = division_mean(d, "loss", l->loss);
    if (l->bound) l->error = division_mean(d, "error", l->error);
    if (l->bound) l->bound = division_mean(d, "bound", l->bound);
}

static void keep(const diffusion_losses *l)
{
    graph_keep(l->loss);
    if (l->bound) graph_keep(l->error);
    if (l->bound) graph_keep(l->bound);
}

bool decoder_step_build(decoder_step *s, store *st, const decoder_config *c, const decoder_shape *shape,
                        const diffusion *process, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_half(s->graph, training_half_type(&c->training));
    build_loss(s, c, shape, process, true);
    const optimizer_settings o = training_optimizer(&c->training);
    optimizer_backward(s->graph, s->losses.loss, &o);
    gather(&s->division, &s->losses);
    keep(&s->losses);
    s->optimizer = optimizer_append_divided(s->graph, s->losses.loss, &o, &s->division);
    return true;
}

bool decoder_step_build_loss(decoder_step *s, store *st, const decoder_config *c, const decoder_shape *shape,
                             const diffusion *process, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_trainable(s->graph, false);
    graph_set_averages(s->graph, c->ema > 0);
    build_loss(s, c, shape, process, false);
    keep(&s->losses);
    return true;
}

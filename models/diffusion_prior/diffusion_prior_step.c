/* diffusion_prior_step.c -- see diffusion_prior_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior_step.h"

#include "host/train/gather.h"

static void build_loss(diffusion_prior_step *s, const diffusion_prior_config *c, const diffusion *process,
                       int64_t embedding, bool train)
{
    graph *g = s->graph;
    int64_t samples = training_samples(&c->training);
    s->embedding = graph_input(g, "embedding", DTYPE_F32, 2, (int64_t[]){ samples, embedding });
    s->condition = diffusion_prior_condition_input(g, c, samples, embedding);
    s->times = diffusion_inputs_make(g, samples);
    s->random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    s->division = training_division(&c->training, s->random);

    diffusion_prior_weights w = diffusion_prior_declare(g, c, embedding);
    tensor *x0 = diffusion_prior_scale(g, c, s->embedding), *noise;
    tensor *x = diffusion_noise(&s->times, x0, s->random, &noise);
    tensor *said =
        diffusion_prior_predict(g, c, &w, &s->condition, x, s->times.time, train ? s->random : NULL);
    s->losses = diffusion_loss(process, &s->times, x0, noise, x, said);
}

bool diffusion_prior_step_build(diffusion_prior_step *s, store *st, const diffusion_prior_config *c,
                                const diffusion *process, int64_t embedding, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_half(s->graph, training_half_type(&c->training));
    build_loss(s, c, process, embedding, true);
    const optimizer_settings o = training_optimizer(&c->training);
    optimizer_backward(s->graph, s->losses.loss, &o);
    s->losses.loss = division_mean(&s->division, "loss", s->losses.loss);
    graph_keep(s->losses.loss);
    s->optimizer = optimizer_append_divided(s->graph, s->losses.loss, &o, &s->division);
    return true;
}

bool diffusion_prior_step_build_loss(diffusion_prior_step *s, store *st, const diffusion_prior_config *c,
                                     const diffusion *process, int64_t embedding, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_trainable(s->graph, false);
    graph_set_averages(s->graph, c->ema > 0);
    build_loss(s, c, process, embedding, false);
    gather_ahead(s->graph);
    graph_keep(s->losses.loss);
    return true;
}

/* ar_prior_step.c -- see ar_prior_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior_step.h"

#include "host/train/gather.h"

static void build_loss(ar_prior_step *s, const ar_prior_config *c, const ar_prior_shape *shape, bool train)
{
    graph *g = s->graph;
    int64_t samples = training_samples(&c->training);
    s->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ samples, c->text_tokens });
    s->caption = graph_input(g, "caption", DTYPE_F32, 2, (int64_t[]){ samples, shape->embedding });
    s->read = graph_input(g, "read", DTYPE_I32, 2, (int64_t[]){ samples, c->dimensions });
    s->targets = graph_input(g, "targets", DTYPE_I32, 2, (int64_t[]){ samples, c->dimensions });
    s->random = train ? graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 }) : NULL;
    ar_prior_weights w = ar_prior_declare(g, c, shape);
    tensor *logits = ar_prior_logits(g, c, &w, s->text, s->caption, s->read, s->random);
    s->loss = op_mean_all(op_cross_entropy(logits, s->targets));
    s->division = training_division(&c->training, s->random);
}

bool ar_prior_step_build(ar_prior_step *s, store *st, const ar_prior_config *c, const ar_prior_shape *shape,
                         error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_half(s->graph, training_half_type(&c->training));
    build_loss(s, c, shape, true);
    const optimizer_settings o = training_optimizer(&c->training);
    optimizer_backward(s->graph, s->loss, &o);
    s->loss = division_mean(&s->division, "loss", s->loss);
    graph_keep(s->loss);
    s->optimizer = optimizer_append_divided(s->graph, s->loss, &o, &s->division);
    return true;
}

bool ar_prior_step_build_loss(ar_prior_step *s, store *st, const ar_prior_config *c,
                              const ar_prior_shape *shape, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_trainable(s->graph, false);
    graph_set_averages(s->graph, c->ema > 0);
    build_loss(s, c, shape, false);
    gather_ahead(s->graph);
    graph_keep(s->loss);
    return true;
}

/* prior_step.c -- see prior_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior_step.h"

#include "host/train/gather.h"

static void build_loss(prior_step *s, const prior_config *c, const prior_shape *shape, bool train)
{
    graph *g = s->graph;
    int64_t samples = training_samples(&c->training);
    s->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ samples, c->text_tokens });
    s->image = graph_input(g, "image", DTYPE_I32, 2, (int64_t[]){ samples, shape->side * shape->side });
    s->read = s->image;
    if (!train || c->token_noise > 0)
        s->read = graph_input(g, "read", DTYPE_I32, 2, (int64_t[]){ samples, shape->side * shape->side });
    s->targets = graph_input(g, "targets", DTYPE_I32, 2, (int64_t[]){ samples, c->text_tokens - 1 });
    s->share = graph_input(g, "share", DTYPE_F32, 1, (int64_t[]){ 1 });
    s->random = train ? graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 }) : NULL;
    s->places = prior_places_input(g, shape);
    s->losses =
        prior_loss(g, c, shape, s->text, s->read, s->image, s->targets, s->share, &s->places, s->random);
    s->division = training_division(&c->training, s->random);
}

static void keep_losses(const prior_step *s)
{
    graph_keep(s->losses.loss);
    graph_keep(s->losses.text);
    graph_keep(s->losses.image);
}

/* A part's losses become the batch's. */
static void gather(const division *d, prior_losses *l)
{
    l->loss = division_mean(d, "loss", l->loss);
    l->text = division_mean(d, "text", l->text);
    l->image = division_mean(d, "image", l->image);
}

bool prior_step_build(prior_step *s, store *st, const prior_config *c, const prior_shape *shape, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_half(s->graph, training_half_type(&c->training));
    store_set_trained_type(st, training_stored_type(&c->training));
    build_loss(s, c, shape, true);
    const optimizer_settings o = training_optimizer(&c->training);
    optimizer_backward(s->graph, s->losses.loss, &o);
    gather(&s->division, &s->losses);
    keep_losses(s);
    s->optimizer = optimizer_append_divided(s->graph, s->losses.loss, &o, &s->division);
    return true;
}

bool prior_step_build_loss(prior_step *s, store *st, const prior_config *c, const prior_shape *shape,
                           error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_trainable(s->graph, false);
    graph_set_averages(s->graph, c->ema > 0);
    build_loss(s, c, shape, false);
    gather_ahead(s->graph);
    keep_losses(s);
    return true;
}

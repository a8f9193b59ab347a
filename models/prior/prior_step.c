/* prior_step.c -- see prior_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior_step.h"

static void build_loss(prior_step *s, const prior_config *c, const prior_shape *shape, bool train)
{
    graph *g = s->graph;
    s->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ c->batch, c->text_tokens });
    s->image = graph_input(g, "image", DTYPE_I32, 2, (int64_t[]){ c->batch, shape->side * shape->side });
    s->read = s->image;
    if (train && c->token_noise > 0)
        s->read = graph_input(g, "read", DTYPE_I32, 2, (int64_t[]){ c->batch, shape->side * shape->side });
    s->targets = graph_input(g, "targets", DTYPE_I32, 2, (int64_t[]){ c->batch, c->text_tokens - 1 });
    s->share = graph_input(g, "share", DTYPE_F32, 1, (int64_t[]){ 1 });
    s->random = train ? graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 }) : NULL;
    s->places = prior_places_input(g, shape);
    s->losses =
        prior_loss(g, c, shape, s->text, s->read, s->image, s->targets, s->share, &s->places, s->random);
    graph_keep(s->losses.loss);
    graph_keep(s->losses.text);
    graph_keep(s->losses.image);
}

bool prior_step_build(prior_step *s, store *st, const prior_config *c, const prior_shape *shape, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    build_loss(s, c, shape, true);
    graph_backward(s->graph, s->losses.loss);
    const optimizer_settings o = training_optimizer(&c->training);
    s->optimizer = optimizer_append(s->graph, s->losses.loss, &o);
    return true;
}

bool prior_step_build_loss(prior_step *s, store *st, const prior_config *c, const prior_shape *shape,
                           error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_trainable(s->graph, false);
    graph_set_averages(s->graph, c->ema > 0);
    build_loss(s, c, shape, false);
    return true;
}

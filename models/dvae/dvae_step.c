/* dvae_step.c -- see dvae_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae_step.h"

bool dvae_step_build(dvae_step *s, store *st, const dvae_config *c, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph *g = s->graph;
    s->pixels =
        graph_input(g, "pixels", DTYPE_U8, 4, (int64_t[]){ c->batch, c->image_size, c->image_size, 3 });
    s->schedule = graph_input(g, "schedule", DTYPE_F32, 1, (int64_t[]){ 2 });
    s->random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    dvae_controls controls = { op_slice(s->schedule, 0, 0, 1), op_slice(s->schedule, 0, 1, 1), s->random };
    s->losses = dvae_loss(g, c, s->pixels, &controls);
    graph_backward(g, s->losses.loss);
    const optimizer_settings o = training_optimizer(&c->training);
    s->optimizer = optimizer_append(g, s->losses.loss, &o);
    if (dvae_is_vq(c) && s->optimizer) {
        tensor *finite = op_cast(op_slice(optimizer_status(s->optimizer), 0, 2, 1), DTYPE_I32);
        dvae_update_codebook(g, c, &s->losses, s->random, finite);
    }
    graph_keep(s->losses.loss);
    graph_keep(s->losses.reconstruction);
    graph_keep(s->losses.regulariser);
    graph_keep(s->losses.squared_error);
    graph_keep(s->losses.tokens);
    return true;
}

/* dvae_step.c -- see dvae_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae_step.h"

/* The figures, tokens and encoder outputs of a part become those of the batch: the codebook's update is
 * then exactly the undivided batch's. */
static void gather(const dvae_config *c, const division *d, dvae_losses *l)
{
    l->loss = division_mean(d, "loss", l->loss);
    l->reconstruction = division_mean(d, "reconstruction", l->reconstruction);
    l->regulariser = division_mean(d, "regulariser", l->regulariser);
    l->squared_error = division_mean(d, "squared_error", l->squared_error);
    l->tokens = division_whole(d, "tokens", l->tokens);
    if (dvae_is_vq(c)) l->encoded = division_whole(d, "encoded", l->encoded);
}

bool dvae_step_build(dvae_step *s, store *st, const dvae_config *c, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_half(s->graph, training_half_type(&c->training));
    graph *g = s->graph;
    int64_t samples = training_samples(&c->training);
    s->pixels =
        graph_input(g, "pixels", DTYPE_U8, 4, (int64_t[]){ samples, c->image_size, c->image_size, 3 });
    s->schedule = graph_input(g, "schedule", DTYPE_F32, 1, (int64_t[]){ 2 });
    s->random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    s->division = training_division(&c->training, s->random);
    dvae_controls controls = { op_slice(s->schedule, 0, 0, 1), op_slice(s->schedule, 0, 1, 1), s->random,
                               &s->division };
    s->losses = dvae_loss(g, c, s->pixels, &controls);
    const optimizer_settings o = training_optimizer(&c->training);
    optimizer_backward(g, s->losses.loss, &o);
    gather(c, &s->division, &s->losses);
    s->optimizer = optimizer_append_divided(g, s->losses.loss, &o, &s->division);
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

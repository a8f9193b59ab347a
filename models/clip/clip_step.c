/* clip_step.c -- see clip_step.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_step.h"

#include <math.h>
#include <stdlib.h>

static void make_inputs(clip_step *s, const clip_config *c)
{
    graph *g = s->graph;
    int64_t samples = training_samples(&c->training), size = c->image_size, batch = c->batch;
    if (s->known)
        s->features = graph_input(g, "features", DTYPE_F32, 2, (int64_t[]){ samples, c->embedding });
    else
        s->pixels = graph_input(g, "pixels", DTYPE_U8, 4, (int64_t[]){ samples, size, size, 3 });
    s->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ samples, c->text_tokens });
    s->ends = clip_ends_input(g, samples);
    s->random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    s->targets = graph_input(g, "targets", DTYPE_I32, 1, &batch);
    if (!s->known) s->constants = clip_constants_input(g, samples);
    s->division = training_division(&c->training, s->random);
}

/* What a part's towers need is computed again when its gradient is wanted. */
static void towers(clip_step *s, const clip_config *c, const clip_weights *w, tensor *features[2])
{
    graph *g = s->graph;
    bool again = s->division.parts > 1;
    tensor *random =
        c->locked_image ? NULL : s->random; /* of a tower that does not learn nothing is dropped */
    if (again && !s->known) graph_recompute_begin(g);
    features[0] = s->known ? s->features : clip_picture_features(g, c, w, &s->constants, s->pixels, random);
    if (again && !s->known) graph_recompute_end(g);
    if (again) graph_recompute_begin(g);
    features[1] = clip_text_features(g, c, w, s->text, s->ends, s->random);
    if (again) graph_recompute_end(g);
}

/* The parts' features become the batch's: [b,E] twice, [b,2,E], [B,2,E], [B,E] twice. */
static void join(clip_step *s, const clip_config *c, tensor *features[2])
{
    if (division_parts(&s->division) <= 1) return;
    tensor *pair[2];
    for (int i = 0; i < 2; ++i) pair[i] = op_reshape(features[i], 3, (int64_t[]){ -1, 1, c->embedding });
    tensor *all = division_join(&s->division, "features", op_concat(2, pair, 1));
    for (int i = 0; i < 2; ++i)
        features[i] = op_reshape(op_slice(all, 1, i, 1), 2, (int64_t[]){ c->batch, c->embedding });
}

static void keep(const clip_losses *l)
{
    graph_keep(l->loss);
    graph_keep(l->scale);
    for (int i = 0; i < 2; ++i)
        for (int64_t k = 0; l->nearest[i] && k < l->pieces; ++k) graph_keep(l->nearest[i][k]);
}

/* After an update the scale is brought back between 1 and its limit (2.5): an average of decay 0, an input
 * that stays as it began, takes over what it is given. */
static void limit_scale(const clip_step *s, tensor *log_scale)
{
    tensor *decay = graph_input(s->graph, "zero", DTYPE_F32, 1, (int64_t[]){ 1 });
    graph_update(op_ema(log_scale, op_clamp(log_scale, 0.0f, logf(CLIP_SCALE_MOST)), decay));
}

bool clip_step_build(clip_step *s, store *st, const clip_config *c, error *err)
{
    if (!(s->graph = graph_create(st, err))) return false;
    graph_set_half(s->graph, training_half_type(&c->training));
    graph *g = s->graph;
    make_inputs(s, c);
    clip_weights w = clip_declare_learning(g, c);
    tensor *features[2];
    towers(s, c, &w, features);
    join(s, c, features);
    s->losses = clip_contrast(g, features[0], features[1], w.log_scale, s->targets, CLIP_SIMILARITIES);
    const optimizer_settings o = training_optimizer(&c->training);
    optimizer_backward(g, s->losses.loss, &o);
    keep(&s->losses);
    s->optimizer = optimizer_append_divided(g, s->losses.loss, &o, &s->division);
    limit_scale(s, w.log_scale);
    return true;
}

bool clip_step_ready(const clip_step *s, error *err)
{
    int64_t batch = tensor_count(s->targets);
    int32_t *own = malloc((size_t)batch * sizeof *own);
    if (!own) return error_set(err, ERROR_MEMORY, "out of memory for %lld targets", (long long)batch);
    for (int64_t i = 0; i < batch; ++i) own[i] = (int32_t)i;
    bool ok = (s->known || clip_write_constants(&s->constants, err)) && graph_write(s->targets, own, err);
    free(own);
    return ok;
}

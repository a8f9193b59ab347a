/* small_prior.h -- a prior over a device without data sets or runs: its stream's logits computed at once,
 * and training steps on given tokens.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_MODELS_SMALL_PRIOR_H
#define DALLE_CL_TESTS_MODELS_SMALL_PRIOR_H

#include "host/train/optimizer.h"
#include "models/prior/prior.h"
#include "models/request.h"
#include "tests/data/fixtures.h"

enum { SIDE = 4, TOKENS = SIDE * SIDE, CODES = 24, TEXT = 6, VOCABULARY = 300 };

static const prior_shape small_shape = { SIDE, CODES };

/* The tiny preset with `sets` over it, NULL-terminated. */
static UNUSED prior_config small_config(const char *const *sets)
{
    error err;
    prior_config c;
    static const char *const always[] = { "text_tokens=6", "text_vocabulary=300", "initial_deviation=0.2",
                                          NULL };
    config_defaults(&prior_config_table, &c);
    bool ok = preset_read(&prior_config_table, "tiny", &c, &err);
    for (const char *const *s = always; ok && *s; ++s)
        ok = config_assign(&prior_config_table, &c, *s, "test", &err);
    for (; ok && *sets; ++sets) ok = config_assign(&prior_config_table, &c, *sets, "test", &err);
    if (!ok || !prior_config_check(&c, &small_shape, &err)) fail_msg("%s", err.message);
    return c;
}

/* Caption `which`: some tokens, then padding. */
static UNUSED void small_text(int which, int32_t *text)
{
    for (int i = 0; i < TEXT; ++i) text[i] = i < 2 + which % 4 ? (which * 37 + i * 11) % VOCABULARY : -1;
}

static UNUSED void small_image(int which, int32_t *tokens)
{
    for (int i = 0; i < TOKENS; ++i) tokens[i] = (which * 7 + i * i * 5 + i * which) % CODES;
}

typedef struct small_trainer {
    store *store;
    graph *graph;
    tensor *text, *image, *targets, *share, *random;
    prior_places places;
    prior_losses losses;
    optimizer *optimizer;
    int64_t batch;
} small_trainer;

static UNUSED small_trainer small_trainer_open(device *d, const prior_config *c, int64_t batch)
{
    error err;
    small_trainer t = { .store = store_create(d, &err), .batch = batch };
    graph *g = t.graph = graph_create(t.store, &err);
    t.text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ batch, TEXT });
    t.image = graph_input(g, "image", DTYPE_I32, 2, (int64_t[]){ batch, TOKENS });
    t.targets = graph_input(g, "targets", DTYPE_I32, 2, (int64_t[]){ batch, TEXT - 1 });
    t.share = graph_input(g, "share", DTYPE_F32, 1, (int64_t[]){ 1 });
    t.random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    t.places = prior_places_input(g, &small_shape);
    t.losses =
        prior_loss(g, c, &small_shape, t.text, t.image, t.image, t.targets, t.share, &t.places, t.random);
    graph_backward(g, t.losses.loss);
    optimizer_settings s = { .beta1 = 0.9f, .beta2 = 0.96f, .epsilon = 1e-8f, .clip = 4.0f };
    t.optimizer = optimizer_append(g, t.losses.loss, &s);
    graph_keep(t.losses.loss);
    graph_keep(t.losses.text);
    graph_keep(t.losses.image);
    if (!graph_compile(g, 3, "batch", &err) || !prior_write_places(&t.places, &small_shape, &err))
        fail_msg("%s", err.message);
    return t;
}

/* On captions and pictures 0 .. batch-1; gives loss, text and image loss. */
static UNUSED void small_trainer_step(small_trainer *t, int step, double rate, float losses[3])
{
    error err;
    int32_t text[16 * TEXT], tokens[16 * TOKENS], targets[16 * TEXT];
    const int32_t random[4] = { 1, 0, step, 0 };
    int known = 0;
    for (int b = 0; b < t->batch; ++b) {
        small_text(b, text + b * TEXT);
        small_image(b, tokens + b * TOKENS);
        for (int i = 0; i + 1 < TEXT; ++i)
            known += (targets[b * (TEXT - 1) + i] = text[b * TEXT + i + 1]) >= 0;
    }
    float share = 1.0f / (float)known;
    bool ok = graph_write(t->text, text, &err) && graph_write(t->image, tokens, &err) &&
              graph_write(t->targets, targets, &err) && graph_write(t->share, &share, &err) &&
              graph_write(t->random, random, &err) &&
              optimizer_schedule(t->optimizer, step, rate, 1.0, &err) && graph_run(t->graph, &err) &&
              graph_read(t->losses.loss, &losses[0], &err) && graph_read(t->losses.text, &losses[1], &err) &&
              graph_read(t->losses.image, &losses[2], &err);
    if (!ok) fail_msg("%s", err.message);
}

static UNUSED void small_trainer_close(small_trainer *t)
{
    graph_destroy(t->graph);
    store_destroy(t->store);
}

#endif

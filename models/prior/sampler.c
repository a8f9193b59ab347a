/* sampler.c -- drawing: the text is read once, then a replayed graph makes one token at a time.
 *
 * The prefill graph runs one caption and leaves every layer's keys and values of the text positions in
 * the caches of all pictures, and the first image token's logits.  The step graph takes the token drawn
 * last, which never leaves the device, and draws the next.  Every linear layer of the step sums in an
 * order that does not depend on the batch, so that picture i is the same whether 1 or 16 are drawn.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior.h"

#include <stdlib.h>
#include <string.h>

/* Where a step is, as op_next_place has it: position in the stream of the token that it is fed, number of the token that
 * it makes, row and column of the former. */
enum { AT_STREAM, AT_IMAGE, AT_ROW, AT_COLUMN, AT_COUNT };

/* Tokens between two looks at the clock and at Ctrl-C. */
enum { TOKENS_AT_ONCE = 16 };

struct prior_sampler {
    store *store;
    prior_config config;
    prior_shape shape;
    int64_t batch;
    bool averages;
    graph *prefill, *step;
    tensor *text, *zeros; /* prefill: I32 [1,T]; I32 [B] */
    tensor *prefill_random, *prefill_settings, *prefill_at;
    tensor *random, *settings;       /* step */
    tensor *logits, *prefill_logits; /* [B,K], [1,K] */
    store_entry *history, *token, *place;
};

static tensor *pick(tensor *at, int which)
{
    return op_slice(at, 0, which, 1);
}

/* A cache's name carries its batch: samplers of several sizes can share a store. */
static tensor *cache_entry(graph *g, const prior_sampler *p, const char *name)
{
    const prior_config *c = &p->config;
    parameter_spec spec = { STORE_CACHE, DTYPE_F32, STORE_ZEROS, 0.0f, false };
    int64_t dim[4] = { p->batch, c->heads, c->text_tokens + p->shape.side * p->shape.side,
                       c->size / c->heads };
    graph_push(g, "of%lld", (long long)p->batch);
    tensor *cache = graph_parameter(g, name, spec, 4, dim);
    graph_pop(g);
    return cache;
}

/* A store entry of integers; its name carries the batch, as a cache's does. */
static tensor *integers(graph *g, const prior_sampler *p, const char *name, int rank, const int64_t *dim,
                        store_entry **entry)
{
    const parameter_spec spec = { STORE_CACHE, DTYPE_I32, STORE_ZEROS, 0.0f, false };
    graph_push(g, "draw%lld", (long long)p->batch);
    tensor *t = graph_parameter(g, name, spec, rank, dim);
    *entry = store_find(p->store, graph_scoped(g, name));
    graph_pop(g);
    return t;
}

/* The token drawn last for every picture, [B]. */
static tensor *last_token(graph *g, prior_sampler *p)
{
    return integers(g, p, "token", 1, &p->batch, &p->token);
}

/* Draws a token a picture from logits [B,K] and leaves it in both places. */
static void draw_token(graph *g, prior_sampler *p, tensor *logits, tensor *settings, tensor *random,
                       tensor *at)
{
    const int64_t all[2] = { p->shape.side * p->shape.side, p->batch };
    tensor *token = last_token(g, p), *history = integers(g, p, "history", 2, all, &p->history);
    graph_push(g, "draw"); /* names the random stream: it must not depend on the batch */
    op_sample_into(logits, settings, random, pick(at, AT_IMAGE), token, history);
    graph_pop(g);
}

static void declare_controls(graph *g, tensor **random, tensor **settings)
{
    int64_t four = 4;
    *random = graph_input(g, "random", DTYPE_I32, 1, &four);
    *settings = graph_input(g, "settings", DTYPE_F32, 1, &four);
}

static bool build_prefill(prior_sampler *p, error *err)
{
    const prior_config *c = &p->config;
    if (!(p->prefill = graph_create(p->store, err))) return false;
    graph *g = p->prefill;
    graph_set_trainable(g, false);
    graph_set_averages(g, p->averages);
    declare_controls(g, &p->prefill_random, &p->prefill_settings);
    p->prefill_at = graph_input(g, "at", DTYPE_I32, 1, (int64_t[]){ AT_COUNT });
    p->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ 1, c->text_tokens });
    p->zeros = graph_input(g, "zeros", DTYPE_I32, 1, &p->batch);
    tensor *zero = op_slice(p->zeros, 0, 0, 1);

    prior_weights w = prior_declare(g, c, &p->shape);
    tensor *x = prior_embed_text(&w, p->text); /* [1,T,C] */
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) {
        mask pattern = prior_mask(c, &p->shape, i + 1);
        attention_fill text = { 0 };
        graph_push(g, "block%lld", (long long)i + 1);
        x = prior_block(g, c, &w.blocks[i], x, &pattern, NULL, &text);
        graph_push(g, "cache");
        graph_update(op_cache_write(cache_entry(g, p, "keys"), op_contiguous(text.keys), zero));
        graph_update(op_cache_write(cache_entry(g, p, "values"), op_contiguous(text.values), zero));
        graph_pop(g);
        graph_pop(g);
    }
    tensor *last = op_contiguous(op_slice(nn_norm(&w.norm, x), 1, c->text_tokens - 1, 1));
    p->prefill_logits = op_reshape(nn_linear(&w.image_logits, last), 2, (int64_t[]){ 1, p->shape.codes });
    graph_keep(p->prefill_logits);
    /* Every picture draws its first token from the same logits. */
    draw_token(g, p, op_embedding(p->prefill_logits, p->zeros), p->prefill_settings, p->prefill_random,
               p->prefill_at);
    return graph_compile(g, 0, "the number of pictures drawn at once", err);
}

static bool build_step(prior_sampler *p, error *err)
{
    const prior_config *c = &p->config;
    if (!(p->step = graph_create(p->store, err))) return false;
    graph *g = p->step;
    graph_set_trainable(g, false);
    graph_set_averages(g, p->averages);
    declare_controls(g, &p->random, &p->settings);
    tensor *at = integers(g, p, "place", 1, (int64_t[]){ AT_COUNT }, &p->place);

    prior_weights w = prior_declare(g, c, &p->shape);
    tensor *token = op_reshape(last_token(g, p), 2, (int64_t[]){ p->batch, 1 });
    prior_places place = { pick(at, AT_ROW), pick(at, AT_COLUMN) };
    tensor *x = prior_embed_image(&w, &place, token); /* [B,1,C] */
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) {
        mask pattern = prior_mask(c, &p->shape, i + 1);
        graph_push(g, "block%lld", (long long)i + 1);
        graph_push(g, "cache");
        attention_cache cache = { cache_entry(g, p, "keys"), cache_entry(g, p, "values"),
                                  pick(at, AT_STREAM) };
        graph_pop(g);
        x = prior_block_step(&w.blocks[i], x, &pattern, &cache);
        graph_pop(g);
    }
    p->logits = op_reshape(nn_linear_step(&w.image_logits, &w.norm, x, false, NULL), 2,
                           (int64_t[]){ p->batch, p->shape.codes });
    graph_keep(p->logits);
    draw_token(g, p, p->logits, p->settings, p->random, at);
    graph_update(op_next_place(at, p->shape.side));
    graph_join(g);
    return graph_compile(g, 0, "the number of pictures drawn at once", err);
}

prior_sampler *prior_sampler_create(store *s, const prior_config *c, const prior_shape *shape, int64_t batch,
                                    bool averages, error *err)
{
    prior_sampler *p = calloc(1, sizeof *p);
    if (!p) return error_null(err, ERROR_MEMORY, "out of memory for a sampler");
    p->store = s;
    p->config = *c;
    p->shape = *shape;
    p->batch = batch;
    p->averages = averages;
    int32_t *zeros = calloc((size_t)batch, sizeof *zeros);
    bool ok =
        zeros ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)batch);
    ok = ok && build_prefill(p, err) && build_step(p, err) && graph_write(p->zeros, zeros, err);
    free(zeros);
    if (ok) return p;
    prior_sampler_destroy(p);
    return NULL;
}

void prior_sampler_destroy(prior_sampler *p)
{
    if (!p) return;
    graph_destroy(p->prefill);
    graph_destroy(p->step);
    free(p);
}

bool prior_sampler_joined(const prior_sampler *p)
{
    return graph_joined(p->step);
}

/* What the step that makes image token `index` needs to know of its place: it is fed token index-1. */
static void place_of(const prior_sampler *p, int64_t index, int32_t at[AT_COUNT])
{
    int64_t fed = index - 1, side = p->shape.side;
    at[AT_STREAM] = (int32_t)(p->config.text_tokens + fed);
    at[AT_IMAGE] = (int32_t)index;
    at[AT_ROW] = (int32_t)(fed < 0 ? 0 : fed / side);
    at[AT_COLUMN] = (int32_t)(fed < 0 ? 0 : fed % side);
}

/* Reads the text and draws the first token; a step then makes the second. */
static bool start(prior_sampler *p, const int32_t *text, const float settings[4], const int32_t random[4],
                  error *err)
{
    int32_t at[AT_COUNT], then[AT_COUNT];
    place_of(p, 0, at);
    place_of(p, 1, then);
    return graph_write(p->text, text, err) && graph_write(p->prefill_at, at, err) &&
           graph_write(p->prefill_random, random, err) && graph_write(p->prefill_settings, settings, err) &&
           graph_run(p->prefill, err) && graph_write(p->random, random, err) &&
           graph_write(p->settings, settings, err) && store_write(p->store, p->place, then, err);
}

/* One batch of pictures from number `first` on, of which `count` are wanted. */
static bool draw_batch(prior_sampler *p, const prior_draw *d, int64_t first, int64_t count, int64_t done,
                       int32_t *tokens, error *err)
{
    int64_t n = p->shape.side * p->shape.side, total = d->count * n;
    float settings[4] = { (float)d->temperature, (float)d->top_k, (float)d->top_p, 0.0f };
    int32_t random[4] = { (int32_t)(uint32_t)d->seed, (int32_t)(uint32_t)(d->seed >> 32), 0, (int32_t)first };
    if (!start(p, d->text, settings, random, err)) return false;
    for (int64_t i = 1; i < n;) {
        int64_t times = n - i < TOKENS_AT_ONCE ? n - i : TOKENS_AT_ONCE;
        if (!graph_run_times(p->step, (int)times, err)) return false;
        i += times;
        if (!d->progress || i >= n) continue;
        if (!device_finish(store_device(p->store), err)) return false;
        if (!d->progress(d->context, done + i * count, total))
            return error_set(err, ERROR_INTERRUPTED, "drawing was stopped after %lld of %lld tokens",
                             (long long)(done + i * count), (long long)total);
    }
    int32_t *drawn = malloc((size_t)(n * p->batch) * sizeof *drawn);
    if (!drawn)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)(n * p->batch));
    bool ok = store_read(p->store, p->history, drawn, err);
    for (int64_t b = 0; ok && b < count; ++b)
        for (int64_t i = 0; i < n; ++i) tokens[b * n + i] = drawn[i * p->batch + b];
    free(drawn);
    return ok;
}

bool prior_sampler_draw(prior_sampler *p, const prior_draw *d, int32_t *tokens, error *err)
{
    int64_t n = p->shape.side * p->shape.side;
    for (int64_t done = 0; done < d->count; done += p->batch) {
        int64_t count = d->count - done < p->batch ? d->count - done : p->batch;
        if (!draw_batch(p, d, d->first + done, count, done * n, tokens + done * n, err)) return false;
    }
    if (d->progress) d->progress(d->context, d->count * n, d->count * n);
    return true;
}

bool prior_sampler_logits(prior_sampler *p, const int32_t *text, const int32_t *image, float *logits,
                          error *err)
{
    int64_t n = p->shape.side * p->shape.side, k = p->shape.codes;
    const float settings[4] = { 0.0f, 0.0f, 1.0f, 0.0f };
    const int32_t random[4] = { 0 };
    int32_t *fed = malloc((size_t)p->batch * sizeof *fed);
    float *all = malloc((size_t)(p->batch * k) * sizeof *all);
    bool ok = fed && all
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %lld logits", (long long)(p->batch * k));
    ok = ok && start(p, text, settings, random, err) && graph_read_f32(p->prefill_logits, logits, err);
    for (int64_t i = 1; ok && i < n; ++i) {
        for (int64_t b = 0; b < p->batch; ++b) fed[b] = image[i - 1];
        ok = store_write(p->store, p->token, fed, err) && graph_run(p->step, err) &&
             graph_read_f32(p->logits, all, err);
        if (ok) memcpy(logits + i * k, all, (size_t)k * sizeof *all);
    }
    free(fed);
    free(all);
    return ok;
}

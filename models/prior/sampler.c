/* sampler.c -- drawing: the text is read once, then a replayed graph makes one token at a time.
 *
 * The prefill graph runs one caption and leaves every layer's keys and values of the text positions in
 * the caches of all pictures, and the first image token's logits.  The step graph takes the token drawn
 * last, which never leaves the device, and draws the next.  Every linear layer of the step sums in an
 * order that does not depend on the batch, so that picture i is the same whether 1 or 16 are drawn.
 *
 * Guidance on the logits (Ho and Salimans, arXiv 2207.12598, said of tokens; ours): every picture has a second row
 * that reads the empty caption and is fed the same tokens, and is drawn from without + g (with - without).
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior.h"

#include <stdlib.h>
#include <string.h>

/* Where a step is, as op_next_place has it: position in the stream of the token that it is fed, number of the token that
 * it makes, row and column of the former. */
enum { AT_STREAM, AT_IMAGE, AT_ROW, AT_COLUMN, AT_COUNT };

/* Tokens between two looks at the clock and at Ctrl-C. */
enum { TOKENS_AT_ONCE = 16 };

/* The two graphs for one kind of drawing: with or without guidance.  `rows` of the caches are read, two a picture with
 * guidance: row 2b is given the caption, row 2b+1 the empty one. */
typedef struct drawer {
    const prior_sampler *of;
    int64_t captions, rows; /* 1 or 2 captions; rows = captions x batch */
    graph *prefill, *step;
    tensor *text, *which; /* prefill: I32 [captions,T]; I32 [rows], the caption that a row reads */
    tensor *prefill_random, *prefill_settings, *prefill_at;
    tensor *random, *settings;       /* step */
    tensor *logits, *prefill_logits; /* [rows,K], [captions,K] */
    store_entry *history, *entropies, *token, *place;
} drawer;

struct prior_sampler {
    store *store;
    prior_config config;
    prior_shape shape;
    int64_t batch;
    bool averages;
    drawer plain, guided; /* each is built when it is first needed */
};

static tensor *pick(tensor *at, int which)
{
    return op_slice(at, 0, which, 1);
}

/* A cache's name carries its rows: samplers of several sizes can share a store. */
static tensor *cache_entry(graph *g, const drawer *w, const char *name)
{
    const prior_config *c = &w->of->config;
    const prior_shape *shape = &w->of->shape;
    parameter_spec spec = { STORE_CACHE, DTYPE_F32, STORE_ZEROS, 0.0f, false };
    int64_t dim[4] = { w->rows, c->heads, c->text_tokens + shape->side * shape->side, c->size / c->heads };
    graph_push(g, "of%lld", (long long)w->rows);
    tensor *cache = graph_parameter(g, name, spec, 4, dim);
    graph_pop(g);
    return cache;
}

/* A store entry that steps share; its name carries the batch and the kind of drawing. */
static tensor *shared(graph *g, const drawer *w, const char *name, dtype type, int rank, const int64_t *dim,
                      store_entry **entry)
{
    const parameter_spec spec = { STORE_CACHE, type, STORE_ZEROS, 0.0f, false };
    graph_push(g, w->captions > 1 ? "guided%lld" : "draw%lld", (long long)w->of->batch);
    tensor *t = graph_parameter(g, name, spec, rank, dim);
    *entry = store_find(w->of->store, graph_scoped(g, name));
    graph_pop(g);
    return t;
}

/* The token drawn last for every row, [rows]. */
static tensor *last_token(graph *g, drawer *w)
{
    return shared(g, w, "token", DTYPE_I32, 1, &w->rows, &w->token);
}

/* Draws a token a picture from logits [rows,K] and leaves it in both places. */
static void draw_token(graph *g, drawer *w, tensor *logits, tensor *settings, tensor *random, tensor *at)
{
    const int64_t all[2] = { w->of->shape.side * w->of->shape.side, w->of->batch };
    tensor *token = last_token(g, w), *history = shared(g, w, "history", DTYPE_I32, 2, all, &w->history),
           *entropies = shared(g, w, "entropies", DTYPE_F32, 2, all, &w->entropies);
    graph_push(g, "draw"); /* names the random stream: it must not depend on the batch */
    op_sample_into(logits, settings, random, pick(at, AT_IMAGE), token, history, entropies);
    graph_pop(g);
}

static void declare_controls(graph *g, tensor **random, tensor **settings)
{
    int64_t four = 4;
    *random = graph_input(g, "random", DTYPE_I32, 1, &four);
    *settings = graph_input(g, "settings", DTYPE_F32, 1, &four);
}

static graph *begin_graph(const prior_sampler *p, error *err)
{
    graph *g = graph_create(p->store, err);
    if (!g) return NULL;
    graph_set_trainable(g, false);
    graph_set_averages(g, p->averages);
    return g;
}

static bool build_prefill(drawer *d, error *err)
{
    const prior_config *c = &d->of->config;
    const prior_shape *shape = &d->of->shape;
    graph *g = d->prefill = begin_graph(d->of, err);
    if (!g) return false;
    declare_controls(g, &d->prefill_random, &d->prefill_settings);
    d->prefill_at = graph_input(g, "at", DTYPE_I32, 1, (int64_t[]){ AT_COUNT });
    d->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ d->captions, c->text_tokens });
    d->which = graph_input(g, "which", DTYPE_I32, 1, &d->rows);
    tensor *zero = op_slice(d->which, 0, 0, 1);

    prior_weights w = prior_declare(g, c, shape);
    tensor *x = prior_embed_text(&w, d->text); /* [captions,T,C] */
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) {
        mask pattern = prior_mask(c, shape, i + 1);
        attention_fill text = { 0 };
        graph_push(g, "block%lld", (long long)i + 1);
        x = prior_block(g, c, &w.blocks[i], x, &pattern, NULL, &text);
        graph_push(g, "cache");
        graph_update(op_cache_write(cache_entry(g, d, "keys"), op_contiguous(text.keys), zero));
        graph_update(op_cache_write(cache_entry(g, d, "values"), op_contiguous(text.values), zero));
        graph_pop(g);
        graph_pop(g);
    }
    tensor *last = op_contiguous(op_slice(nn_norm(&w.norm, x), 1, c->text_tokens - 1, 1));
    d->prefill_logits =
        op_reshape(nn_linear(&w.image_logits, last), 2, (int64_t[]){ d->captions, shape->codes });
    graph_keep(d->prefill_logits);
    /* Every picture draws its first token from the same logits. */
    draw_token(g, d, op_embedding(d->prefill_logits, d->which), d->prefill_settings, d->prefill_random,
               d->prefill_at);
    return graph_compile(g, 0, "the number of pictures drawn at once", err);
}

static bool build_step(drawer *d, error *err)
{
    const prior_config *c = &d->of->config;
    const prior_shape *shape = &d->of->shape;
    graph *g = d->step = begin_graph(d->of, err);
    if (!g) return false;
    declare_controls(g, &d->random, &d->settings);
    tensor *at = shared(g, d, "place", DTYPE_I32, 1, (int64_t[]){ AT_COUNT }, &d->place);

    prior_weights w = prior_declare(g, c, shape);
    tensor *token = op_reshape(last_token(g, d), 2, (int64_t[]){ d->rows, 1 });
    prior_places place = { pick(at, AT_ROW), pick(at, AT_COLUMN) };
    tensor *x = prior_embed_image(&w, &place, token); /* [rows,1,C] */
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) {
        mask pattern = prior_mask(c, shape, i + 1);
        graph_push(g, "block%lld", (long long)i + 1);
        graph_push(g, "cache");
        attention_cache cache = { cache_entry(g, d, "keys"), cache_entry(g, d, "values"),
                                  pick(at, AT_STREAM) };
        graph_pop(g);
        x = prior_block_step(&w.blocks[i], x, &pattern, &cache);
        graph_pop(g);
    }
    d->logits = op_reshape(nn_linear_step(&w.image_logits, &w.norm, x, ACTIVATION_IDENTITY, NULL), 2,
                           (int64_t[]){ d->rows, shape->codes });
    graph_keep(d->logits);
    draw_token(g, d, d->logits, d->settings, d->random, at);
    graph_update(op_next_place(at, shape->side));
    graph_join(g);
    return graph_compile(g, 0, "the number of pictures drawn at once", err);
}

static bool write_which(drawer *d, error *err)
{
    int32_t *which = malloc((size_t)d->rows * sizeof *which);
    if (!which)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)d->of->batch);
    for (int64_t i = 0; i < d->rows; ++i) which[i] = (int32_t)(i % d->captions);
    bool ok = graph_write(d->which, which, err);
    free(which);
    return ok;
}

static void drawer_free(drawer *d)
{
    graph_destroy(d->prefill);
    graph_destroy(d->step);
    *d = (drawer){ 0 };
}

/* The graphs for that guidance, built if they are not there yet; NULL on failure. */
static drawer *drawer_for(prior_sampler *p, double guidance, error *err)
{
    bool guides = guidance != 1;
    drawer *d = guides ? &p->guided : &p->plain;
    if (d->of) return d;
    *d = (drawer){ .of = p, .captions = guides ? 2 : 1, .rows = guides ? 2 * p->batch : p->batch };
    if (build_prefill(d, err) && build_step(d, err) && write_which(d, err)) return d;
    drawer_free(d);
    return NULL;
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
    if (drawer_for(p, c->guidance, err)) return p;
    prior_sampler_destroy(p);
    return NULL;
}

void prior_sampler_destroy(prior_sampler *p)
{
    if (!p) return;
    drawer_free(&p->plain);
    drawer_free(&p->guided);
    free(p);
}

bool prior_sampler_joined(const prior_sampler *p)
{
    return graph_joined(p->plain.of ? p->plain.step : p->guided.step);
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

/* The caption, and with guidance the empty one behind it. */
static bool write_text(drawer *d, const int32_t *text, error *err)
{
    int64_t positions = d->of->config.text_tokens;
    int32_t *all = malloc((size_t)(d->captions * positions) * sizeof *all);
    if (!all) return error_set(err, ERROR_MEMORY, "out of memory for a caption");
    for (int64_t i = 0; i < d->captions * positions; ++i) all[i] = i < positions ? text[i] : -1;
    bool ok = graph_write(d->text, all, err);
    free(all);
    return ok;
}

/* Reads the text and draws the first token; a step then makes the second. */
static bool start(drawer *d, const int32_t *text, const float settings[4], const int32_t random[4],
                  error *err)
{
    const prior_sampler *p = d->of;
    int32_t at[AT_COUNT], then[AT_COUNT];
    place_of(p, 0, at);
    place_of(p, 1, then);
    return write_text(d, text, err) && graph_write(d->prefill_at, at, err) &&
           graph_write(d->prefill_random, random, err) && graph_write(d->prefill_settings, settings, err) &&
           graph_run(d->prefill, err) && graph_write(d->random, random, err) &&
           graph_write(d->settings, settings, err) && store_write(p->store, d->place, then, err);
}

/* The tokens drawn for the first `count` pictures, and their entropies unless those are NULL, [count][N]. */
static bool collect(const drawer *w, int64_t count, int32_t *tokens, float *entropy, error *err)
{
    const prior_sampler *p = w->of;
    int64_t n = p->shape.side * p->shape.side, all = n * p->batch;
    int32_t *drawn = malloc((size_t)all * sizeof *drawn);
    float *of = malloc((size_t)all * sizeof *of);
    bool ok =
        drawn && of ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)all);
    ok = ok && store_read(p->store, w->history, drawn, err) &&
         (!entropy || store_read(p->store, w->entropies, of, err));
    for (int64_t b = 0; ok && b < count; ++b)
        for (int64_t i = 0; i < n; ++i) {
            tokens[b * n + i] = drawn[i * p->batch + b];
            if (entropy) entropy[b * n + i] = of[i * p->batch + b];
        }
    free(drawn);
    free(of);
    return ok;
}

/* One batch of pictures from number `first` on, of which `count` are wanted. */
static bool draw_batch(drawer *w, const prior_draw *d, int64_t first, int64_t count, int64_t done,
                       int32_t *tokens, error *err)
{
    const prior_sampler *p = w->of;
    int64_t n = p->shape.side * p->shape.side, total = d->count * n;
    float settings[4] = { (float)d->temperature, (float)d->top_k, (float)d->top_p, (float)d->guidance };
    int32_t random[4] = { (int32_t)(uint32_t)d->seed, (int32_t)(uint32_t)(d->seed >> 32), 0, (int32_t)first };
    if (!start(w, d->text, settings, random, err)) return false;
    for (int64_t i = 1; i < n;) {
        int64_t times = n - i < TOKENS_AT_ONCE ? n - i : TOKENS_AT_ONCE;
        if (!graph_run_times(w->step, (int)times, err)) return false;
        i += times;
        if (!d->progress || i >= n) continue;
        if (!device_finish(store_device(p->store), err)) return false;
        if (!d->progress(d->context, done + i * count, total))
            return error_set(err, ERROR_INTERRUPTED, "drawing was stopped after %lld of %lld tokens",
                             (long long)(done + i * count), (long long)total);
    }
    return collect(w, count, tokens + done, d->entropy ? d->entropy + done : NULL, err);
}

bool prior_sampler_draw(prior_sampler *p, const prior_draw *d, int32_t *tokens, error *err)
{
    int64_t n = p->shape.side * p->shape.side;
    drawer *w = drawer_for(p, d->guidance, err);
    if (!w) return false;
    for (int64_t done = 0; done < d->count; done += p->batch) {
        int64_t count = d->count - done < p->batch ? d->count - done : p->batch;
        if (!draw_batch(w, d, d->first + done, count, done * n, tokens, err)) return false;
    }
    if (d->progress) d->progress(d->context, d->count * n, d->count * n);
    return true;
}

bool prior_sampler_logits(prior_sampler *p, const int32_t *text, const int32_t *image, float *logits,
                          error *err)
{
    int64_t n = p->shape.side * p->shape.side, k = p->shape.codes;
    const float settings[4] = { 0.0f, 0.0f, 1.0f, 1.0f };
    const int32_t random[4] = { 0 };
    drawer *d = drawer_for(p, 1, err);
    if (!d) return false;
    int32_t *fed = malloc((size_t)p->batch * sizeof *fed);
    float *all = malloc((size_t)(p->batch * k) * sizeof *all);
    bool ok = fed && all
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for %lld logits", (long long)(p->batch * k));
    ok = ok && start(d, text, settings, random, err) && graph_read_f32(d->prefill_logits, logits, err);
    for (int64_t i = 1; ok && i < n; ++i) {
        for (int64_t b = 0; b < p->batch; ++b) fed[b] = image[i - 1];
        ok = store_write(p->store, d->token, fed, err) && graph_run(d->step, err) &&
             graph_read_f32(d->logits, all, err);
        if (ok) memcpy(logits + i * k, all, (size_t)k * sizeof *all);
    }
    free(fed);
    free(all);
    return ok;
}

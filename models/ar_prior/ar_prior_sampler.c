/* ar_prior_sampler.c -- see ar_prior_sampler.h.
 * With guidance every embedding has a second row, which reads the empty caption, an embedding of zeros and
 * the token that says nothing of nearness, and is fed the same components.
 * Every linear layer of the step sums in an order that does not depend on the batch.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior_sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Components between two looks at the clock and at Ctrl-C; embeddings at once; drawers kept. */
enum { COMPONENTS_AT_ONCE = 16, BATCH_MOST = 32, KEPT = 4 };

/* Where a step is, as op_next_place has it: position in the stream of the token that it is fed, number of the
 * component that it makes; the rest means nothing here. */
enum { AT_STREAM, AT_NUMBER, AT_COUNT = 4 };

typedef struct drawer {
    int64_t batch, rows, captions; /* rows = batch x (guided ? 2 : 1); captions that are read */
    bool guided, each;
    graph *read, *step;
    tensor *text, *caption; /* of `read`: [captions,T], [captions,E] */
    tensor *random, *settings, *logits;
    store_entry *history, *entropies, *token, *place; /* [D,batch] twice, [rows], [AT_COUNT] */
    store *memory;
} drawer;

struct ar_prior_sampler {
    store *store;
    ar_prior_config config;
    ar_prior_shape shape;
    bool averages;
    drawer *kept[KEPT]; /* the one used last first */
    int count;
};

/* ---- Graphs ---- */

static graph *begin_graph(const ar_prior_sampler *p, error *err)
{
    graph *g = graph_create(p->store, err);
    if (!g) return NULL;
    graph_set_trainable(g, false);
    graph_set_averages(g, p->averages);
    return g;
}

/* The tensor of that name, in the current scope, of what a drawer's graphs share. */
static tensor *shared(graph *g, const drawer *d, const char *name, dtype type, int rank, const int64_t *dim,
                      store_entry **entry)
{
    store_entry *e = store_declare(d->memory, graph_scoped(g, name), STORE_CACHE, type, rank, dim);
    if (!e) graph_no_memory(g);
    if (entry) *entry = e;
    return e ? graph_entry(g, e) : graph_poison(g);
}

static tensor *cache_of(graph *g, const ar_prior_sampler *p, const drawer *d, const char *name)
{
    const ar_prior_config *c = &p->config;
    return shared(g, d, name, DTYPE_F32, 4,
                  (int64_t[]){ d->rows, c->heads, ar_prior_positions(c), c->size / c->heads }, NULL);
}

/* The memory first, for what a graph binds has a place. */
static bool finish(graph *g, store *memory, error *err)
{
    return graph_sound(g, err) && store_allocate(memory, 0, err) &&
           graph_compile(g, 0, "the number of embeddings drawn at once", err);
}

/* Leaves every layer's keys and values of the captions in the caches. */
static bool build_read(const ar_prior_sampler *p, drawer *d, error *err)
{
    const ar_prior_config *c = &p->config;
    graph *g = d->read = begin_graph(p, err);
    if (!g) return false;
    tensor *zero = graph_input(g, "zero", DTYPE_I32, 1, (int64_t[]){ 1 }); /* as inputs are at first */
    d->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ d->captions, c->text_tokens });
    d->caption = graph_input(g, "caption", DTYPE_F32, 2, (int64_t[]){ d->captions, p->shape.embedding });
    ar_prior_weights w = ar_prior_declare(g, c, &p->shape);
    tensor *x = ar_prior_embed_caption(g, c, &w, d->text, d->caption, NULL);
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) {
        attention_fill seen = { 0 };
        graph_push(g, "block%lld", (long long)i + 1);
        x = ar_prior_apply_block(g, c, &w.blocks[i], x, NULL, &seen);
        graph_update(op_cache_write(cache_of(g, p, d, "keys"), seen.keys, zero));
        graph_update(op_cache_write(cache_of(g, p, d, "values"), seen.values, zero));
        graph_pop(g);
    }
    return finish(g, d->memory, err);
}

static tensor *pick(tensor *at, int which)
{
    return op_slice(at, 0, which, 1);
}

/* Draws a component of each embedding from logits [rows,K]; it is read next. */
static void draw_component(graph *g, const ar_prior_sampler *p, drawer *d, tensor *token, tensor *at)
{
    const int64_t all[2] = { p->config.dimensions, d->batch };
    tensor *history = shared(g, d, "history", DTYPE_I32, 2, all, &d->history),
           *entropies = shared(g, d, "entropies", DTYPE_F32, 2, all, &d->entropies);
    graph_push(g, "ar_prior"); /* names the random stream: it must not depend on the batch */
    op_sample_into(d->logits, d->settings, d->random, pick(at, AT_NUMBER), token, history, entropies);
    graph_pop(g);
    graph_update(op_next_place(at, 1));
}

static bool build_step(const ar_prior_sampler *p, drawer *d, error *err)
{
    const ar_prior_config *c = &p->config;
    graph *g = d->step = begin_graph(p, err);
    if (!g) return false;
    d->random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    d->settings = graph_input(g, "settings", DTYPE_F32, 1, (int64_t[]){ 4 });
    tensor *at = shared(g, d, "place", DTYPE_I32, 1, (int64_t[]){ AT_COUNT }, &d->place),
           *token = shared(g, d, "token", DTYPE_I32, 1, &d->rows, &d->token);
    ar_prior_weights w = ar_prior_declare(g, c, &p->shape);
    const embedding_term terms[2] = { { w.tokens, op_reshape(token, 2, (int64_t[]){ d->rows, 1 }) },
                                      { w.position, pick(at, AT_STREAM) } };
    tensor *x = op_embedding_sum(2, terms); /* [rows,1,C] */
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        const attention_cache cache = { cache_of(g, p, d, "keys"), cache_of(g, p, d, "values"),
                                        pick(at, AT_STREAM) };
        x = ar_prior_block_step(c, &w.blocks[i], x, &cache);
        graph_pop(g);
    }
    d->logits = op_reshape(nn_linear_step(&w.logits, &w.norm, x, ACTIVATION_IDENTITY, NULL), 2,
                           (int64_t[]){ d->rows, c->buckets });
    graph_keep(d->logits);
    draw_component(g, p, d, token, at);
    graph_join(g);
    return finish(g, d->memory, err);
}

static void destroy_drawer(drawer *d)
{
    if (!d) return;
    graph_destroy(d->read);
    graph_destroy(d->step);
    store_destroy(d->memory);
    free(d);
}

static drawer *create_drawer(const ar_prior_sampler *p, int64_t batch, bool guided, bool each, error *err)
{
    drawer *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for drawing");
    *d = (drawer){ .batch = batch, .guided = guided, .each = each };
    d->rows = batch * (guided ? 2 : 1);
    d->captions = each ? d->rows : guided ? 2 : 1;
    if ((d->memory = store_create(store_device(p->store), err)) && build_read(p, d, err) &&
        build_step(p, d, err))
        return d;
    destroy_drawer(d);
    return NULL;
}

/* ---- Keeping ---- */

static drawer *put_first(ar_prior_sampler *p, drawer *d, int from)
{
    memmove(p->kept + 1, p->kept, (size_t)from * sizeof *p->kept);
    return p->kept[0] = d;
}

static drawer *drawer_for(ar_prior_sampler *p, int64_t batch, bool guided, bool each, error *err)
{
    for (int i = 0; i < p->count; ++i) {
        drawer *d = p->kept[i];
        if (d->batch == batch && d->guided == guided && d->each == each) return put_first(p, d, i);
    }
    if (p->count == KEPT) destroy_drawer(p->kept[--p->count]);
    drawer *d = create_drawer(p, batch, guided, each, err);
    return d ? put_first(p, d, p->count++) : NULL;
}

/* Few sizes, so that few graphs are built. */
static int64_t batch_for(int64_t count)
{
    int64_t batch = 1;
    while (batch < count && batch < BATCH_MOST) batch *= 2;
    return batch;
}

ar_prior_sampler *ar_prior_sampler_create(store *s, const ar_prior_config *c, const ar_prior_shape *shape,
                                          bool averages, error *err)
{
    ar_prior_sampler *p = calloc(1, sizeof *p);
    if (!p) return error_null(err, ERROR_MEMORY, "out of memory for a sampler");
    *p = (ar_prior_sampler){ .store = s, .config = *c, .shape = *shape, .averages = averages };
    p->config.recompute = false;
    graph *g = begin_graph(p, err);
    if (g) ar_prior_declare(g, &p->config, shape);
    bool ok = g && graph_sound(g, err) && store_allocate(s, 0, err);
    graph_destroy(g);
    if (ok) return p;
    ar_prior_sampler_destroy(p);
    return NULL;
}

void ar_prior_sampler_destroy(ar_prior_sampler *p)
{
    if (!p) return;
    while (p->count > 0) destroy_drawer(p->kept[--p->count]);
    free(p);
}

bool ar_prior_sampler_prepare(ar_prior_sampler *p, int64_t count, double guidance, error *err)
{
    return drawer_for(p, batch_for(count), guidance != 1, false, err) != NULL;
}

/* ---- Drawing ---- */

/* What row `row` of those that are read has: the caption of an embedding of the batch that begins with number
 * `before`, or with guidance every second time none. */
static void place_caption(const ar_prior_sampler *p, const drawer *d, const ar_prior_draw *how,
                          int64_t before, int64_t row, int32_t *text, float *caption)
{
    int64_t tokens = p->config.text_tokens, size = p->shape.embedding, which = 0;
    bool none = d->guided && row % 2;
    if (d->each) which = before + row / (d->guided ? 2 : 1);
    if (which >= how->count) which = how->count - 1;
    for (int64_t i = 0; i < tokens; ++i) text[i] = none ? -1 : how->text[which * tokens + i];
    for (int64_t i = 0; i < size; ++i) caption[i] = none ? 0 : how->caption[which * size + i];
}

static bool read_captions(const ar_prior_sampler *p, const drawer *d, const ar_prior_draw *how,
                          int64_t before, error *err)
{
    int64_t tokens = p->config.text_tokens, size = p->shape.embedding;
    int32_t *text = malloc((size_t)(d->captions * tokens) * sizeof *text);
    float *caption = malloc((size_t)(d->captions * size) * sizeof *caption);
    bool ok = text && caption ? true : error_set(err, ERROR_MEMORY, "out of memory for captions");
    for (int64_t i = 0; ok && i < d->captions; ++i)
        place_caption(p, d, how, before, i, text + i * tokens, caption + i * size);
    ok = ok && graph_write(d->text, text, err) && graph_write(d->caption, caption, err) &&
         graph_run(d->read, err);
    free(text);
    free(caption);
    return ok;
}

/* The step that makes the first component is fed the token of nearness. */
static bool start(const ar_prior_sampler *p, const drawer *d, const ar_prior_draw *how, int64_t before,
                  error *err)
{
    const int32_t at[AT_COUNT] = { (int32_t)p->config.text_tokens + 1 };
    const float settings[4] = { (float)how->temperature, 0, 1, (float)how->guidance };
    const int32_t random[4] = { (int32_t)(uint32_t)how->seed, (int32_t)(uint32_t)(how->seed >> 32), 0,
                                (int32_t)(how->first + before) };
    int64_t each = d->guided ? 2 : 1;
    int32_t *fed = malloc((size_t)d->rows * sizeof *fed);
    if (!fed) return error_set(err, ERROR_MEMORY, "out of memory for %lld embeddings", (long long)d->batch);
    for (int64_t i = 0; i < d->rows; ++i) {
        int64_t which = before + i / each;
        fed[i] = d->guided && i % 2 ? ar_prior_unsaid_token(&p->config)
                                    : how->near[which < how->count ? which : how->count - 1];
    }
    bool ok = store_write(d->memory, d->token, fed, err) && store_write(d->memory, d->place, at, err) &&
              graph_write(d->random, random, err) && graph_write(d->settings, settings, err);
    free(fed);
    return ok;
}

/* What is no number stays none in all that follows: the last component shows it. */
static bool check_logits(const drawer *d, error *err)
{
    int64_t count = tensor_count(d->logits);
    float *logits = malloc((size_t)count * sizeof *logits);
    bool ok = logits ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld logits", (long long)count);
    ok = ok && graph_read_f32(d->logits, logits, err);
    for (int64_t i = 0; ok && i < count; ++i)
        if (!isfinite(logits[i]))
            ok = error_set(err, ERROR_MODEL,
                           "AR prior: the last component is drawn from what is not a number: the model is "
                           "damaged, or its training diverged; use another checkpoint");
    free(logits);
    return ok;
}

/* The components of the first `count`, [count][D]. */
static bool collect(const ar_prior_sampler *p, const drawer *d, int64_t count, int32_t *buckets, error *err)
{
    int64_t n = p->config.dimensions;
    int32_t *drawn = malloc((size_t)(n * d->batch) * sizeof *drawn);
    bool ok = drawn ? true : error_set(err, ERROR_MEMORY, "out of memory for %lld components", (long long)n);
    ok = ok && store_read(d->memory, d->history, drawn, err) && check_logits(d, err);
    for (int64_t b = 0; ok && b < count; ++b)
        for (int64_t i = 0; i < n; ++i) buckets[b * n + i] = drawn[i * d->batch + b];
    free(drawn);
    return ok;
}

static bool draw_batch(const ar_prior_sampler *p, drawer *d, const ar_prior_draw *how, int64_t before,
                       int64_t count, int32_t *buckets, error *err)
{
    int64_t n = p->config.dimensions, total = how->count * n;
    if (!start(p, d, how, before, err)) return false;
    for (int64_t i = 0; i < n;) {
        int64_t times = n - i < COMPONENTS_AT_ONCE ? n - i : COMPONENTS_AT_ONCE;
        if (!graph_run_times(d->step, (int)times, err)) return false;
        i += times;
        int64_t done = before * n + i * count;
        if (!how->progress) continue;
        if (!device_finish(store_device(d->memory), err)) return false;
        if (!how->progress(how->context, done, total))
            return error_set(err, ERROR_INTERRUPTED, "drawing was stopped after %lld of %lld components",
                             (long long)done, (long long)total);
    }
    return collect(p, d, count, buckets + before * n, err);
}

bool ar_prior_sampler_draw(ar_prior_sampler *p, const ar_prior_draw *how, int32_t *buckets, error *err)
{
    if (how->count < 1) return true;
    drawer *d = drawer_for(p, batch_for(how->count), how->guidance != 1, how->each, err);
    if (!d || (!how->each && !read_captions(p, d, how, 0, err))) return false;
    for (int64_t done = 0; done < how->count; done += d->batch) {
        int64_t count = how->count - done < d->batch ? how->count - done : d->batch;
        if ((how->each && !read_captions(p, d, how, done, err)) ||
            !draw_batch(p, d, how, done, count, buckets, err))
            return false;
    }
    return true;
}

bool ar_prior_sampler_logits(ar_prior_sampler *p, const int32_t *text, const float *caption,
                             const int32_t *read, float *logits, error *err)
{
    const ar_prior_draw how = { .text = text, .caption = caption, .near = read, .count = 1, .guidance = 1 };
    drawer *d = drawer_for(p, 1, false, false, err);
    bool ok = d && read_captions(p, d, &how, 0, err) && start(p, d, &how, 0, err);
    for (int64_t i = 0; ok && i < p->config.dimensions; ++i)
        ok = store_write(d->memory, d->token, read + i, err) && graph_run(d->step, err) &&
             graph_read_f32(d->logits, logits + i * p->config.buckets, err);
    return ok;
}

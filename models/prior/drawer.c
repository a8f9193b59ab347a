/* drawer.c -- the graphs of drawing, built and compiled.
 * Every linear layer of the step sums in an order that does not depend on the batch, so that picture i is
 * the same whether 1 or 16 are drawn.
 * SPDX-License-Identifier: MIT */
#include "models/prior/drawer.h"

#include <stdlib.h>

static graph *begin_graph(const drawer_model *m, error *err)
{
    graph *g = graph_create(m->store, err);
    if (!g) return NULL;
    graph_set_trainable(g, false);
    graph_set_averages(g, m->averages);
    return g;
}

bool drawer_declare(const drawer_model *m, error *err)
{
    graph *g = begin_graph(m, err);
    if (g) prior_declare(g, &m->config, &m->shape);
    bool ok = g && graph_sound(g, err) && store_allocate(m->store, 0, err);
    graph_destroy(g);
    return ok;
}

/* The tensor of that name, in the current scope, of what graphs share in `memory`. */
static tensor *shared(graph *g, store *memory, const char *name, dtype type, int rank, const int64_t *dim,
                      store_entry **entry)
{
    store_entry *e = store_declare(memory, graph_scoped(g, name), STORE_CACHE, type, rank, dim);
    if (!e) graph_no_memory(g);
    if (entry) *entry = e;
    return e ? graph_entry(g, e) : graph_poison(g);
}

/* Keys or values of a layer, of so many rows and positions. */
static tensor *cache_of(graph *g, const drawer_model *m, store *memory, const char *name, int64_t rows,
                        int64_t positions)
{
    const prior_config *c = &m->config;
    int64_t dim[4] = { rows, c->heads, positions, c->size / c->heads };
    return shared(g, memory, name, DTYPE_F32, 4, dim, NULL);
}

static tensor *whole_cache(graph *g, const drawer *d, const char *name)
{
    const drawer_model *m = d->model;
    int64_t positions = m->config.text_tokens + m->shape.side * m->shape.side;
    return cache_of(g, m, d->memory, name, d->rows, positions);
}

static tensor *read_cache(graph *g, const drawer_model *m, const drawer_reader *r, const char *name)
{
    return cache_of(g, m, r->memory, name, r->captions, m->config.text_tokens + r->given);
}

static tensor *reader_logits(graph *g, const drawer_model *m, const drawer_reader *r, store_entry **entry)
{
    int64_t dim[4] = { r->captions, 1, 1, m->shape.codes };
    return shared(g, r->memory, "logits", DTYPE_F32, 4, dim, entry);
}

/* The memory first, for what a graph binds has a place. */
static bool finish(graph *g, store *memory, error *err)
{
    return graph_sound(g, err) && store_allocate(memory, 0, err) &&
           graph_compile(g, 0, "the number of pictures drawn at once", err);
}

/* ---- Reading ---- */

/* The stream's beginning: the text, and the tokens that are given -> [captions,T+given,C]. */
static tensor *embed_read(graph *g, drawer_reader *r, const drawer_model *m, const prior_weights *w,
                          prior_places *places)
{
    r->text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ r->captions, m->config.text_tokens });
    tensor *text = prior_embed_text(w, r->text);
    if (!r->given) return text;
    r->image = graph_input(g, "image", DTYPE_I32, 2, (int64_t[]){ r->captions, r->given });
    *places = prior_places_input(g, &m->shape);
    const prior_places first = { op_slice(places->rows, 0, 0, r->given),
                                 op_slice(places->columns, 0, 0, r->given) };
    return op_concat(2, (tensor *[]){ text, prior_embed_image(w, &first, r->image) }, 1);
}

static bool build_reader(drawer_reader *r, const drawer_model *m, error *err)
{
    const prior_config *c = &m->config;
    graph *g = r->graph = begin_graph(m, err);
    prior_places places;
    if (!g) return false;
    tensor *zero = graph_input(g, "zero", DTYPE_I32, 1, (int64_t[]){ 1 }); /* as inputs are at first */

    prior_weights w = prior_declare(g, c, &m->shape);
    tensor *x = embed_read(g, r, m, &w, &places);
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) {
        mask pattern = prior_mask(c, &m->shape, i + 1);
        attention_fill seen = { 0 };
        graph_push(g, "block%lld", (long long)i + 1);
        x = prior_block(g, c, &w.blocks[i], x, &pattern, NULL, &seen);
        graph_update(op_cache_write(read_cache(g, m, r, "keys"), seen.keys, zero));
        graph_update(op_cache_write(read_cache(g, m, r, "values"), seen.values, zero));
        graph_pop(g);
    }
    tensor *last = op_contiguous(op_slice(nn_norm(&w.norm, x), 1, c->text_tokens + r->given - 1, 1));
    tensor *logits =
        op_reshape(nn_linear(&w.image_logits, last), 4, (int64_t[]){ r->captions, 1, 1, m->shape.codes });
    graph_update(op_cache_write(reader_logits(g, m, r, &r->logits), logits, zero));
    return finish(g, r->memory, err) && (!r->given || prior_write_places(&places, &m->shape, err));
}

drawer_reader *drawer_reader_create(const drawer_model *m, int64_t texts, int64_t each, int64_t given,
                                    error *err)
{
    drawer_reader *r = calloc(1, sizeof *r);
    if (!r) return error_null(err, ERROR_MEMORY, "out of memory for reading captions");
    r->texts = texts;
    r->each = each;
    r->captions = texts * each;
    r->given = given;
    if ((r->memory = store_create(store_device(m->store), err)) && build_reader(r, m, err)) return r;
    drawer_reader_destroy(r);
    return NULL;
}

void drawer_reader_destroy(drawer_reader *r)
{
    if (!r) return;
    graph_destroy(r->graph);
    store_destroy(r->memory);
    free(r);
}

/* ---- Drawing ---- */

static tensor *pick(tensor *at, int which)
{
    return op_slice(at, 0, which, 1);
}

/* The token drawn last for every row, [rows]. */
static tensor *last_token(graph *g, drawer *d)
{
    return shared(g, d->memory, "token", DTYPE_I32, 1, &d->rows, &d->token);
}

/* Draws a token a picture from logits [rows,K] and leaves it in both places. */
static void draw_token(graph *g, drawer *d, tensor *logits, tensor *settings, tensor *random, tensor *at)
{
    const int64_t all[2] = { d->model->shape.side * d->model->shape.side, d->batch };
    tensor *token = last_token(g, d),
           *history = shared(g, d->memory, "history", DTYPE_I32, 2, all, &d->history),
           *entropies = shared(g, d->memory, "entropies", DTYPE_F32, 2, all, &d->entropies);
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

static bool build_first(drawer *d, error *err)
{
    const drawer_model *m = d->model;
    const drawer_reader *r = d->reader;
    graph *g = d->first = begin_graph(m, err);
    if (!g) return false;
    declare_controls(g, &d->first_random, &d->first_settings);
    d->first_at = graph_input(g, "at", DTYPE_I32, 1, (int64_t[]){ AT_COUNT });
    d->which = graph_input(g, "which", DTYPE_I32, 1, &d->rows);
    tensor *zero = op_slice(d->which, 0, 0, 1);
    for (int64_t i = 0; i < m->config.layers; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        graph_update(op_cache_write(whole_cache(g, d, "keys"), read_cache(g, m, r, "keys"), zero));
        graph_update(op_cache_write(whole_cache(g, d, "values"), read_cache(g, m, r, "values"), zero));
        graph_pop(g);
    }
    /* Every picture of a caption draws its first token from the same logits. */
    tensor *logits = op_reshape(reader_logits(g, m, r, NULL), 2, (int64_t[]){ r->captions, m->shape.codes });
    draw_token(g, d, op_embedding(logits, d->which), d->first_settings, d->first_random, d->first_at);
    return finish(g, d->memory, err);
}

static bool build_step(drawer *d, error *err)
{
    const prior_config *c = &d->model->config;
    const prior_shape *shape = &d->model->shape;
    graph *g = d->step = begin_graph(d->model, err);
    if (!g) return false;
    declare_controls(g, &d->random, &d->settings);
    tensor *at = shared(g, d->memory, "place", DTYPE_I32, 1, (int64_t[]){ AT_COUNT }, &d->place);

    prior_weights w = prior_declare(g, c, shape);
    tensor *token = op_reshape(last_token(g, d), 2, (int64_t[]){ d->rows, 1 });
    prior_places place = { pick(at, AT_ROW), pick(at, AT_COLUMN) };
    tensor *x = prior_embed_image(&w, &place, token); /* [rows,1,C] */
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) {
        mask pattern = prior_mask(c, shape, i + 1);
        graph_push(g, "block%lld", (long long)i + 1);
        attention_cache cache = { whole_cache(g, d, "keys"), whole_cache(g, d, "values"),
                                  pick(at, AT_STREAM) };
        x = prior_block_step(&w.blocks[i], x, &pattern, &cache);
        graph_pop(g);
    }
    d->logits = op_reshape(nn_linear_step(&w.image_logits, &w.norm, x, ACTIVATION_IDENTITY, NULL), 2,
                           (int64_t[]){ d->rows, shape->codes });
    graph_keep(d->logits);
    draw_token(g, d, d->logits, d->settings, d->random, at);
    graph_update(op_next_place(at, shape->side));
    graph_join(g);
    return finish(g, d->memory, err);
}

static bool write_which(drawer *d, error *err)
{
    int32_t *which = malloc((size_t)d->rows * sizeof *which);
    if (!which) return error_set(err, ERROR_MEMORY, "out of memory for %lld pictures", (long long)d->batch);
    for (int64_t i = 0; i < d->rows; ++i) which[i] = (int32_t)(i % d->reader->captions);
    bool ok = graph_write(d->which, which, err);
    free(which);
    return ok;
}

drawer *drawer_create(const drawer_model *m, const drawer_reader *r, int64_t batch, error *err)
{
    drawer *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory for drawing");
    *d = (drawer){ .model = m, .reader = r, .batch = batch, .rows = r->each * batch };
    if ((d->memory = store_create(store_device(m->store), err)) && build_first(d, err) &&
        build_step(d, err) && write_which(d, err))
        return d;
    drawer_destroy(d);
    return NULL;
}

void drawer_destroy(drawer *d)
{
    if (!d) return;
    graph_destroy(d->first);
    graph_destroy(d->step);
    store_destroy(d->memory);
    free(d);
}

/* diffusion_prior.c -- the network (arXiv 2204.06125, 2.2): one causal transformer over text and diffusion.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior.h"

#include "host/graph/split.h"

#include <math.h>

/* Behind the text: the caption's embedding, the timestep, the noised embedding, the query. */
enum { FURTHER = 4 };

/* ---- Weights ---- */

static diffusion_prior_block declare_block(graph *g, const diffusion_prior_config *c, int64_t number)
{
    float in = (float)c->initial_deviation, out = in / sqrtf(2.0f * (float)c->layers);
    diffusion_prior_block w;
    graph_push(g, "block%lld", (long long)number);
    w.norm1 = nn_norm_weights(g, "norm1", c->size);
    w.attention = nn_attention_weights(g, "attention", c->size, c->heads, in, out);
    w.norm2 = nn_norm_weights(g, "norm2", c->size);
    w.up = nn_linear_weights(g, "up", c->size, c->size * c->mlp_factor, true, in);
    w.down = nn_linear_weights(g, "down", c->size * c->mlp_factor, c->size, true, out);
    graph_pop(g);
    return w;
}

diffusion_prior_weights diffusion_prior_declare(graph *g, const diffusion_prior_config *c, int64_t embedding)
{
    float deviation = (float)c->initial_deviation, place = deviation / 2;
    int64_t size = c->size, tokens = c->text_tokens;
    diffusion_prior_weights w = { 0 };
    w.table = nn_embedding(g, "text_embedding", deviation, c->text_vocabulary, size);
    w.padding = nn_embedding(g, "padding_embedding", deviation, tokens, size);
    w.position = nn_embedding(g, "position", place, tokens + FURTHER, size);
    w.caption = nn_linear_weights(g, "caption", embedding, size, true, deviation);
    w.time1 = nn_linear_weights(g, "time1", size, size, true, deviation);
    w.time2 = nn_linear_weights(g, "time2", size, size, true, deviation);
    w.noised = nn_linear_weights(g, "noised", embedding, size, true, deviation);
    w.query = nn_embedding(g, "query", deviation, 1, size);
    w.blocks = graph_allocate(g, (size_t)c->layers * sizeof *w.blocks);
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) w.blocks[i] = declare_block(g, c, i + 1);
    w.norm = nn_norm_weights(g, "norm", size);
    w.out = nn_linear_weights(g, "out", size, embedding, true, deviation);
    return w;
}

diffusion_prior_condition diffusion_prior_condition_input(graph *g, const diffusion_prior_config *c,
                                                          int64_t samples, int64_t embedding)
{
    return (diffusion_prior_condition){
        graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ samples, c->text_tokens }),
        graph_input(g, "caption", DTYPE_F32, 2, (int64_t[]){ samples, embedding }),
    };
}

/* ---- Embeddings ---- */

static tensor *statistic(graph *g, const char *name, store_init init, int64_t embedding)
{
    const parameter_spec spec = { .kind = STORE_LEARNT, .type = DTYPE_F32, .init = init };
    return graph_parameter(g, name, spec, 1, &embedding);
}

tensor *diffusion_prior_scale(graph *g, const diffusion_prior_config *c, tensor *embedding)
{
    int64_t size = tensor_last(embedding);
    if (!c->standardise) return op_scale(embedding, (float)c->embedding_scale);
    tensor *mean = statistic(g, DIFFUSION_PRIOR_MEAN, STORE_ZEROS, size),
           *deviation = statistic(g, DIFFUSION_PRIOR_DEVIATION, STORE_ONES, size);
    return op_div(op_sub(embedding, mean), deviation);
}

/* ---- The network ---- */

static tensor *drop(const diffusion_prior_config *c, tensor *x, tensor *random)
{
    return random && c->dropout > 0 ? op_dropout(x, (float)c->dropout, random) : x;
}

static tensor *add_branch(const diffusion_prior_config *c, const linear_weights *w, tensor *x,
                          tensor *residual, tensor *random)
{
    if (random && c->dropout > 0) return op_add(residual, drop(c, nn_linear(w, x), random));
    return nn_linear_add(w, x, residual);
}

static tensor *last_row(tensor *x)
{
    return op_contiguous(op_slice(x, 1, x->dim[1] - 1, 1));
}

/* A block behind its attention.  Of the last one only the query's row is wanted: what only that needs is
 * computed of it alone. */
static tensor *finish_block(const diffusion_prior_config *c, const diffusion_prior_block *w, tensor *x,
                            tensor *mixed, bool last, tensor *random)
{
    if (last) {
        mixed = last_row(mixed);
        x = last_row(x);
    }
    tensor *h = add_branch(c, &w->attention.output, mixed, x, random);
    tensor *wide = op_linear_gelu(nn_norm(&w->norm2, h), split_whole(w->up.weight), w->up.bias);
    return add_branch(c, &w->down, wide, h, random);
}

static tensor *block(const diffusion_prior_config *c, const diffusion_prior_block *w, tensor *x,
                     const mask *pattern, bool last, tensor *random)
{
    tensor *mixed = nn_attention(&w->attention, nn_norm(&w->norm1, x), pattern, NULL);
    return finish_block(c, w, x, mixed, last, random);
}

/* A token of the sequence, [B,1,W]. */
static tensor *token(tensor *x)
{
    return op_reshape(x, 3, (int64_t[]){ x->dim[0], 1, x->dim[1] });
}

static tensor *embed_time(const diffusion_prior_weights *w, const diffusion_prior_config *c, tensor *time)
{
    tensor *waves = op_timestep_embedding(time, c->size, 10000);
    return nn_linear(
        &w->time2, op_linear_activation(waves, split_whole(w->time1.weight), w->time1.bias, ACTIVATION_SILU));
}

/* The rows of the caption before their first block, [B,T+1,W], and those behind them, [B,3,W]. */
static tensor *embed_caption(const diffusion_prior_weights *w, const diffusion_prior_condition *in)
{
    tensor *part[2] = { nn_half(
                            op_embedding_padded(split_whole(w->table), split_whole(w->padding), in->tokens)),
                        token(nn_linear(&w->caption, in->caption)) };
    return op_concat(2, part, 1);
}

static tensor *embed_rest(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                          tensor *x, tensor *time)
{
    tensor *zero =
        graph_input(g, "zero", DTYPE_I32, 2, (int64_t[]){ x->dim[0], 1 }); /* as inputs are at first */
    tensor *part[3] = { token(embed_time(w, c, time)), token(nn_linear(&w->noised, x)),
                        nn_half(op_embedding(split_whole(w->query), zero)) };
    return op_concat(3, part, 1);
}

/* The sequence, [B,T+4,W]. */
static tensor *embed(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                     const diffusion_prior_condition *in, tensor *x, tensor *time)
{
    tensor *part[2] = { embed_caption(w, in), embed_rest(g, c, w, x, time) };
    return op_add(op_concat(2, part, 1), split_whole(w->position));
}

static mask causal_mask(int64_t positions)
{
    return (mask){ .kind = MASK_CAUSAL, .text = (int32_t)positions, .side = 1 };
}

static tensor *finish(const diffusion_prior_config *c, const diffusion_prior_weights *w, tensor *h)
{
    h = op_reshape(h, 2, (int64_t[]){ h->dim[0], c->size });
    return nn_linear_wide(&w->out, nn_norm(&w->norm, h));
}

tensor *diffusion_prior_predict(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                                const diffusion_prior_condition *in, tensor *x, tensor *time, tensor *random)
{
    const mask causal = causal_mask(c->text_tokens + FURTHER);
    tensor *h = drop(c, embed(g, c, w, in, x, time), random);
    for (int64_t i = 0; w->blocks && i < c->layers; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        if (c->recompute) graph_recompute_begin(g);
        h = block(c, &w->blocks[i], h, &causal, i + 1 == c->layers, random);
        if (c->recompute) graph_recompute_end(g);
        graph_pop(g);
    }
    return finish(c, w, h);
}

/* ---- Drawing: the caption's rows see nothing behind them, so that they are the same at every step ---- */

static tensor *cache(graph *g, const diffusion_prior_config *c, store *memory, const char *name, int64_t rows)
{
    const int64_t dim[4] = { rows, c->heads, c->text_tokens + 1, c->size / c->heads };
    store_entry *e = store_declare(memory, graph_scoped(g, name), STORE_CACHE, DTYPE_F32, 4, dim);
    if (!e) graph_no_memory(g);
    return e ? graph_entry(g, e) : graph_poison(g);
}

void diffusion_prior_read(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                          const diffusion_prior_condition *in, store *memory)
{
    const mask causal = causal_mask(c->text_tokens + 1);
    tensor *zero = graph_input(g, "zero", DTYPE_I32, 1, (int64_t[]){ 1 }); /* as inputs are at first */
    int64_t rows = in->tokens->dim[0];
    tensor *h = op_add(embed_caption(w, in), op_slice(w->position, 0, 0, c->text_tokens + 1));
    for (int64_t i = 0; w->blocks && i < c->layers; ++i) {
        attention_fill seen = { 0 };
        graph_push(g, "block%lld", (long long)i + 1);
        tensor *mixed =
            nn_attention(&w->blocks[i].attention, nn_norm(&w->blocks[i].norm1, h), &causal, &seen);
        graph_update(op_cache_write(cache(g, c, memory, "keys", rows), seen.keys, zero));
        graph_update(op_cache_write(cache(g, c, memory, "values", rows), seen.values, zero));
        h = finish_block(c, &w->blocks[i], h, mixed, false, NULL);
        graph_pop(g);
    }
}

/* Those of the caption, and then x's own: [B,T+4,H,D]. */
static tensor *all_of(const linear_weights *w, const attention_weights *of, tensor *x, tensor *cached)
{
    tensor *own =
        op_reshape(nn_linear(w, x), 4, (int64_t[]){ x->dim[0], x->dim[1], of->heads, of->head_size });
    return op_concat(2, (tensor *[]){ op_permute(cached, (int[]){ 0, 2, 1, 3 }), own }, 1);
}

static tensor *attend(const attention_weights *w, tensor *x, tensor *keys, tensor *values,
                      const mask *pattern)
{
    const int64_t heads[4] = { x->dim[0], x->dim[1], w->heads, w->head_size };
    tensor *q = op_reshape(nn_linear(&w->query, x), 4, heads);
    tensor *k = all_of(&w->key, w, x, keys), *v = all_of(&w->value, w, x, values);
    return op_reshape(op_attention(q, k, v, pattern, 1.0f / sqrtf((float)w->head_size)), 3, x->dim);
}

tensor *diffusion_prior_say(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                            store *memory, tensor *x, tensor *time)
{
    const mask causal = causal_mask(c->text_tokens + FURTHER);
    tensor *h =
        op_add(embed_rest(g, c, w, x, time), op_slice(w->position, 0, c->text_tokens + 1, FURTHER - 1));
    for (int64_t i = 0; w->blocks && i < c->layers; ++i) {
        const diffusion_prior_block *b = &w->blocks[i];
        graph_push(g, "block%lld", (long long)i + 1);
        tensor *keys = cache(g, c, memory, "keys", x->dim[0]),
               *values = cache(g, c, memory, "values", x->dim[0]);
        tensor *mixed = attend(&b->attention, nn_norm(&b->norm1, h), keys, values, &causal);
        h = finish_block(c, b, h, mixed, i + 1 == c->layers, NULL);
        graph_pop(g);
    }
    return finish(c, w, h);
}

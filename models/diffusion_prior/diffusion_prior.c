/* diffusion_prior.c -- the network (arXiv 2204.06125, 2.2): one causal transformer over text and diffusion.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior.h"

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
    w.table = nn_weight(g, "text_embedding", deviation, 2, (int64_t[]){ c->text_vocabulary, size });
    w.padding = nn_weight(g, "padding_embedding", deviation, 2, (int64_t[]){ tokens, size });
    w.position = nn_weight(g, "position", place, 2, (int64_t[]){ tokens + FURTHER, size });
    w.caption = nn_linear_weights(g, "caption", embedding, size, true, deviation);
    w.time1 = nn_linear_weights(g, "time1", size, size, true, deviation);
    w.time2 = nn_linear_weights(g, "time2", size, size, true, deviation);
    w.noised = nn_linear_weights(g, "noised", embedding, size, true, deviation);
    w.query = nn_weight(g, "query", deviation, 2, (int64_t[]){ 1, size });
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
    const parameter_spec spec = { STORE_LEARNT, DTYPE_F32, init, 0, false };
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

/* Of the last block only the query's row is wanted: what only that needs is computed of it alone. */
static tensor *block(const diffusion_prior_config *c, const diffusion_prior_block *w, tensor *x,
                     const mask *pattern, bool last, tensor *random)
{
    tensor *mixed = nn_attention(&w->attention, nn_norm(&w->norm1, x), pattern, NULL);
    if (last) {
        mixed = last_row(mixed);
        x = last_row(x);
    }
    tensor *h = add_branch(c, &w->attention.output, mixed, x, random);
    tensor *wide = op_linear_gelu(nn_norm(&w->norm2, h), w->up.weight, w->up.bias);
    return add_branch(c, &w->down, wide, h, random);
}

/* A token of the sequence, [B,1,W]. */
static tensor *token(tensor *x)
{
    return op_reshape(x, 3, (int64_t[]){ x->dim[0], 1, x->dim[1] });
}

static tensor *embed_time(const diffusion_prior_weights *w, const diffusion_prior_config *c, tensor *time)
{
    tensor *waves = op_timestep_embedding(time, c->size, 10000);
    return nn_linear(&w->time2, op_linear_activation(waves, w->time1.weight, w->time1.bias, ACTIVATION_SILU));
}

/* The sequence before its first block, [B,T+4,W]. */
static tensor *embed(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                     const diffusion_prior_condition *in, tensor *x, tensor *time)
{
    tensor *zero =
        graph_input(g, "zero", DTYPE_I32, 2, (int64_t[]){ x->dim[0], 1 }); /* as inputs are at first */
    tensor *part[1 + FURTHER] = { op_embedding_padded(w->table, w->padding, in->tokens),
                                  token(nn_linear(&w->caption, in->caption)), token(embed_time(w, c, time)),
                                  token(nn_linear(&w->noised, x)), op_embedding(w->query, zero) };
    return op_add(op_concat(1 + FURTHER, part, 1), w->position);
}

tensor *diffusion_prior_predict(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                                const diffusion_prior_condition *in, tensor *x, tensor *time, tensor *random)
{
    const mask causal = { .kind = MASK_CAUSAL, .text = (int32_t)(c->text_tokens + FURTHER), .side = 1 };
    tensor *h = drop(c, embed(g, c, w, in, x, time), random);
    for (int64_t i = 0; w->blocks && i < c->layers; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        if (c->recompute) graph_recompute_begin(g);
        h = block(c, &w->blocks[i], h, &causal, i + 1 == c->layers, random);
        if (c->recompute) graph_recompute_end(g);
        graph_pop(g);
    }
    h = op_reshape(h, 2, (int64_t[]){ x->dim[0], c->size });
    return nn_linear(&w->out, nn_norm(&w->norm, h));
}

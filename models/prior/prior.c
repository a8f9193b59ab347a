/* prior.c -- the transformer as 2.2 and B.1 of arXiv 2102.12092 describe it, and its loss.
 * Pre-normalised blocks; activation (GELU), placement of norms and initial values are ours, the paper
 * does not give them.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior.h"

#include "host/graph/split.h"

#include <math.h>
#include <stdlib.h>

/* ---- Weights ---- */

mask prior_mask(const prior_config *c, const prior_shape *shape, int64_t layer)
{
    mask m = { .kind = MASK_CAUSAL,
               .text = (int32_t)c->text_tokens,
               .side = (int32_t)shape->side,
               .window = (int32_t)c->window,
               .reach = (int32_t)c->row_reach };
    if (c->attention == prior_attention_full) return m;
    m.kind = layer == c->layers ? MASK_CONV : (layer + 2) % 4 == 0 ? MASK_COLUMN : MASK_ROW;
    return m;
}

static block_weights declare_block(graph *g, const prior_config *c, int64_t number, bool scaled)
{
    /* What residual branches add is scaled down by the depth, so that the sum's size does not grow with
     * it. */
    float deviation = (float)c->initial_deviation, out = deviation / sqrtf(2.0f * (float)c->layers);
    block_weights w = { .scale = { NULL } };
    graph_push(g, "block%lld", (long long)number);
    graph_set_block(g, scaled ? 2 * (int)number - 1 : 0);
    w.norm1 = nn_norm_weights(g, "norm1", c->size);
    w.attention = nn_attention_weights(g, "attention", c->size, c->heads, deviation, out);
    graph_set_block(g, scaled ? 2 * (int)number : 0);
    w.norm2 = nn_norm_weights(g, "norm2", c->size);
    w.up = nn_linear_weights(g, "up", c->size, c->size * c->mlp_factor, true, deviation);
    w.down = nn_linear_weights(g, "down", c->size * c->mlp_factor, c->size, true, out);
    graph_set_block(g, 0);
    graph_pop(g);
    return w;
}

/* As in the paper, attention and MLP are a residual block each: two scales a layer. */
static void declare_scales(graph *g, const prior_config *c, block_weights *blocks)
{
    tensor *scales = nn_block_scales(g, 2 * c->layers, training_block_start(&c->training));
    for (int64_t i = 0; blocks && i < 2 * c->layers; ++i)
        blocks[i / 2].scale[i % 2] = op_slice(scales, 0, i, 1);
}

prior_weights prior_declare(graph *g, const prior_config *c, const prior_shape *shape)
{
    float deviation = (float)c->initial_deviation;
    int64_t t = c->text_tokens, v = c->text_vocabulary, k = shape->codes, size = c->size;
    prior_weights w = { 0 };
    w.text_table = nn_embedding(g, "text_embedding", deviation, v, size);
    w.padding = nn_embedding(g, "padding_embedding", deviation, t, size);
    w.text_position = nn_embedding(g, "text_position", deviation, t, size);
    w.image_table = nn_embedding(g, "image_embedding", deviation, k, size);
    w.row = nn_embedding(g, "row_embedding", deviation, shape->side, size);
    w.column = nn_embedding(g, "column_embedding", deviation, shape->side, size);
    w.blocks = graph_allocate(g, (size_t)c->layers * sizeof *w.blocks);
    const bool scaled = graph_half(g) != DTYPE_F32 && training_block_start(&c->training) > 0;
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) w.blocks[i] = declare_block(g, c, i + 1, scaled);
    if (scaled) declare_scales(g, c, w.blocks);
    w.norm = nn_norm_weights(g, "norm", size);
    if (c->tie_embeddings) {
        w.text_logits.weight = w.text_table;
        w.image_logits.weight = w.image_table;
    } else {
        w.text_logits = nn_unembedding_weights(g, "text_logits", size, v, deviation);
        w.image_logits = nn_unembedding_weights(g, "image_logits", size, k, deviation);
    }
    return w;
}

/* ---- Embeddings ---- */

prior_places prior_places_input(graph *g, const prior_shape *shape)
{
    int64_t n = shape->side * shape->side;
    return (prior_places){ graph_input(g, "rows", DTYPE_I32, 1, &n),
                           graph_input(g, "columns", DTYPE_I32, 1, &n) };
}

bool prior_write_places(const prior_places *p, const prior_shape *shape, error *err)
{
    int64_t n = shape->side * shape->side;
    int32_t *index = calloc((size_t)n, sizeof *index);
    if (!index) return error_set(err, ERROR_MEMORY, "out of memory for %lld positions", (long long)n);
    for (int64_t i = 0; i < n; ++i) index[i] = (int32_t)(i / shape->side);
    bool ok = graph_write(p->rows, index, err);
    for (int64_t i = 0; i < n; ++i) index[i] = (int32_t)(i % shape->side);
    ok = ok && graph_write(p->columns, index, err);
    free(index);
    return ok;
}

tensor *prior_embed_text(const prior_weights *w, tensor *text)
{
    return op_add(op_embedding_padded(split_whole(w->text_table), split_whole(w->padding), text),
                  split_whole(w->text_position)); /* [B,T,C] */
}

tensor *prior_embed_image(const prior_weights *w, const prior_places *places, tensor *image)
{
    const embedding_term terms[] = { { split_whole(w->image_table), image },
                                     { split_whole(w->row), places->rows },
                                     { split_whole(w->column), places->columns } };
    return op_embedding_sum(3, terms); /* [B,N,C] */
}

/* ---- The stack ---- */

static tensor *drop(const prior_config *c, tensor *x, tensor *random)
{
    return random && c->dropout > 0 ? op_dropout(x, (float)c->dropout, random) : x;
}

/* What a residual block reads of x; `scale` of its gradient, or NULL. */
static tensor *branch_off(tensor *x, tensor *scale)
{
    return scale ? op_block_begin(x, scale, graph_half(x->graph)) : x;
}

/* residual + drop(x W^T + bias) */
static tensor *add_branch(const prior_config *c, const linear_weights *w, tensor *x, tensor *residual,
                          tensor *scale, tensor *random)
{
    if (scale) return op_block_end(residual, drop(c, nn_linear(w, x), random), scale);
    if (random && c->dropout > 0) return op_add(residual, drop(c, nn_linear(w, x), random));
    return nn_linear_add(w, x, residual);
}

tensor *prior_block_step(const block_weights *w, tensor *x, const mask *pattern, const attention_cache *cache)
{
    tensor *h = nn_attention_step(&w->attention, &w->norm1, x, pattern, cache);
    tensor *wide = nn_linear_step(&w->up, &w->norm2, h, ACTIVATION_GELU, NULL);
    return nn_linear_step(&w->down, NULL, wide, ACTIVATION_IDENTITY, h);
}

tensor *prior_block(graph *g, const prior_config *c, const block_weights *w, tensor *x, const mask *pattern,
                    tensor *random, attention_fill *fill)
{
    if (c->recompute) graph_recompute_begin(g);
    tensor *seen = nn_norm(&w->norm1, branch_off(x, w->scale[0]));
    tensor *mixed = nn_attention(&w->attention, seen, pattern, fill);
    tensor *h = add_branch(c, &w->attention.output, mixed, x, w->scale[0], random);
    tensor *wide =
        op_linear_gelu(nn_norm(&w->norm2, branch_off(h, w->scale[1])), split_whole(w->up.weight), w->up.bias);
    h = add_branch(c, &w->down, wide, h, w->scale[1], random);
    if (c->recompute) graph_recompute_end(g);
    return h;
}

tensor *prior_states(graph *g, const prior_config *c, const prior_shape *shape, const prior_weights *w,
                     const prior_places *places, tensor *text, tensor *image, tensor *random)
{
    tensor *x = op_concat(2, (tensor *[]){ prior_embed_text(w, text), prior_embed_image(w, places, image) },
                          1); /* [B,S,C] */
    /* With gradient scales the identity path stays F32. */
    x = drop(c, w->blocks && w->blocks[0].scale[0] ? x : nn_half(x), random);
    for (int64_t i = 0; w->blocks && i < c->layers; ++i) {
        mask pattern = prior_mask(c, shape, i + 1);
        graph_push(g, "block%lld", (long long)i + 1);
        x = prior_block(g, c, &w->blocks[i], x, &pattern, random, NULL);
        graph_pop(g);
    }
    return nn_norm(&w->norm, x);
}

tensor *prior_image_logits(const prior_config *c, const prior_weights *w, tensor *states)
{
    int64_t t = c->text_tokens;
    return nn_linear_wide(&w->image_logits, op_contiguous(op_slice(states, 1, t - 1, states->dim[1] - t)));
}

tensor *prior_text_logits(const prior_config *c, const prior_weights *w, tensor *states)
{
    return nn_linear_wide(&w->text_logits, op_contiguous(op_slice(states, 1, 0, c->text_tokens - 1)));
}

prior_losses prior_loss(graph *g, const prior_config *c, const prior_shape *shape, tensor *text, tensor *read,
                        tensor *image, tensor *text_targets, tensor *text_share, const prior_places *places,
                        tensor *random)
{
    prior_weights w = prior_declare(g, c, shape);
    tensor *states = prior_states(g, c, shape, &w, places, text, read, random);
    prior_losses l;
    /* Each modality's cross-entropy is divided by its own number of tokens (2.2). */
    l.image = op_mean_all(op_cross_entropy(prior_image_logits(c, &w, states), image));
    l.text = op_mul(op_sum_all(op_cross_entropy(prior_text_logits(c, &w, states), text_targets)), text_share);
    float share = (float)c->text_weight;
    l.loss = op_add(op_scale(l.text, share), op_scale(l.image, 1.0f - share));
    return l;
}

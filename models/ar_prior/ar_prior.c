/* ar_prior.c -- the network (arXiv 2204.06125, 2.2): a text encoder, and a causal transformer behind it.
 * How the encoded caption stands before the sequence, pre-normalised blocks with GELU, and starting values
 * are ours: the paper does not give them.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior.h"

#include "host/graph/split.h"

#include <math.h>

int64_t ar_prior_positions(const ar_prior_config *c)
{
    return c->text_tokens + 1 + c->dimensions;
}

int32_t ar_prior_near_token(const ar_prior_config *c, int64_t bucket)
{
    return (int32_t)(c->buckets + bucket);
}

int32_t ar_prior_unsaid_token(const ar_prior_config *c)
{
    return (int32_t)(c->buckets + c->near_buckets);
}

/* ---- Weights ---- */

static ar_prior_block declare_block(graph *g, const ar_prior_config *c, int64_t number)
{
    float in = (float)c->initial_deviation, out = in / sqrtf(2.0f * (float)c->layers);
    ar_prior_block w;
    graph_push(g, "block%lld", (long long)number);
    w.norm1 = nn_norm_weights(g, "norm1", c->size);
    w.attention = nn_attention_weights(g, "attention", c->size, c->heads, in, out);
    w.norm2 = nn_norm_weights(g, "norm2", c->size);
    w.up = nn_linear_weights(g, "up", c->size, c->size * c->mlp_factor, true, in);
    w.down = nn_linear_weights(g, "down", c->size * c->mlp_factor, c->size, true, out);
    graph_pop(g);
    return w;
}

text_encoder_config ar_prior_text(const ar_prior_config *c)
{
    return (text_encoder_config){ .tokens = c->text_tokens,
                                  .rows = c->text_vocabulary,
                                  .width = c->text_width,
                                  .layers = c->text_layers,
                                  .heads = c->text_heads,
                                  .causal = true,
                                  .dropout = c->dropout,
                                  .recompute = c->recompute };
}

ar_prior_weights ar_prior_declare(graph *g, const ar_prior_config *c, const ar_prior_shape *shape)
{
    float deviation = (float)c->initial_deviation;
    int64_t rows = c->buckets + c->near_buckets + 1, size = c->size;
    const text_encoder_config text = ar_prior_text(c);
    ar_prior_weights w = { .text = text_encoder_declare(g, &text) };
    w.text_projection = nn_linear_weights(g, "text_projection", c->text_width, size, true, deviation);
    w.caption_projection =
        nn_linear_weights(g, "caption_projection", shape->embedding, size, true, deviation);
    w.tokens = nn_embedding(g, "tokens", deviation, rows, size);
    w.position = nn_embedding(g, "position", deviation, ar_prior_positions(c), size);
    w.blocks = graph_allocate(g, (size_t)c->layers * sizeof *w.blocks);
    for (int64_t i = 0; w.blocks && i < c->layers; ++i) w.blocks[i] = declare_block(g, c, i + 1);
    w.norm = nn_norm_weights(g, "norm", size);
    w.logits = nn_unembedding_weights(g, "logits", size, c->buckets, deviation);
    return w;
}

/* ---- The network ---- */

/* All of the stream is what the analytic masks call text. */
mask ar_prior_mask(const ar_prior_config *c)
{
    return (mask){ .kind = MASK_CAUSAL, .text = (int32_t)ar_prior_positions(c), .side = 1 };
}

static tensor *drop(const ar_prior_config *c, tensor *x, tensor *random)
{
    return random && c->dropout > 0 ? op_dropout(x, (float)c->dropout, random) : x;
}

/* residual + drop(x W^T + bias) */
static tensor *add_branch(const ar_prior_config *c, const linear_weights *w, tensor *x, tensor *residual,
                          tensor *random)
{
    if (random && c->dropout > 0) return op_add(residual, drop(c, nn_linear(w, x), random));
    return nn_linear_add(w, x, residual);
}

tensor *ar_prior_apply_block(graph *g, const ar_prior_config *c, const ar_prior_block *w, tensor *x,
                             tensor *random, attention_fill *fill)
{
    const mask pattern = ar_prior_mask(c);
    if (c->recompute) graph_recompute_begin(g);
    tensor *mixed = nn_attention(&w->attention, nn_norm(&w->norm1, x), &pattern, fill);
    tensor *h = add_branch(c, &w->attention.output, mixed, x, random);
    tensor *wide = op_linear_gelu(nn_norm(&w->norm2, h), split_whole(w->up.weight), w->up.bias);
    h = add_branch(c, &w->down, wide, h, random);
    if (c->recompute) graph_recompute_end(g);
    return h;
}

tensor *ar_prior_block_step(const ar_prior_config *c, const ar_prior_block *w, tensor *x,
                            const attention_cache *cache)
{
    const mask pattern = ar_prior_mask(c);
    tensor *h = nn_attention_step(&w->attention, &w->norm1, x, &pattern, cache);
    tensor *wide = nn_linear_step(&w->up, &w->norm2, h, ACTIVATION_GELU, NULL);
    return nn_linear_step(&w->down, NULL, wide, ACTIVATION_IDENTITY, h);
}

/* An embedding's numbers are about 1 / sqrt(E); what the layer reads is about 1. */
static tensor *embed_embedding(const ar_prior_weights *w, tensor *caption)
{
    int64_t size = tensor_last(caption);
    tensor *x = nn_linear(&w->caption_projection, op_scale(caption, sqrtf((float)size)));
    return op_reshape(x, 3, (int64_t[]){ x->dim[0], 1, x->dim[1] });
}

/* The beginning without positions. */
static tensor *embed_plain(graph *g, const ar_prior_config *c, const ar_prior_weights *w, tensor *text,
                           tensor *caption, tensor *random)
{
    const text_encoder_config encoder = ar_prior_text(c);
    tensor *states = nn_linear(&w->text_projection, text_encoder_apply(g, &encoder, w->text, text, random));
    return op_concat(2, (tensor *[]){ states, embed_embedding(w, caption) }, 1);
}

tensor *ar_prior_embed_caption(graph *g, const ar_prior_config *c, const ar_prior_weights *w, tensor *text,
                               tensor *caption, tensor *random)
{
    tensor *places = op_contiguous(op_slice(w->position, 0, 0, c->text_tokens + 1));
    return drop(c, op_add(embed_plain(g, c, w, text, caption, random), places), random);
}

tensor *ar_prior_logits(graph *g, const ar_prior_config *c, const ar_prior_weights *w, tensor *text,
                        tensor *caption, tensor *read, tensor *random)
{
    tensor *parts[2] = { embed_plain(g, c, w, text, caption, random),
                         nn_half(op_embedding(split_whole(w->tokens), read)) };
    tensor *x = drop(c, op_add(op_concat(2, parts, 1), split_whole(w->position)), random); /* [B,S,C] */
    for (int64_t i = 0; w->blocks && i < c->layers; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        x = ar_prior_apply_block(g, c, &w->blocks[i], x, random, NULL);
        graph_pop(g);
    }
    x = op_contiguous(op_slice(x, 1, c->text_tokens + 1, c->dimensions));
    return nn_linear_wide(&w->logits, nn_norm(&w->norm, x));
}

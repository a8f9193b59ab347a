/* text_encoder.c -- see text_encoder.h.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/text_encoder.h"

#include "host/graph/split.h"

#include <math.h>

typedef struct text_block {
    norm_weights norm1, norm2;
    attention_weights attention;
    linear_weights up, down;
} text_block;

struct text_encoder {
    tensor *table, *padding, *position; /* [rows,W], [T,W], [T,W] */
    text_block *block;                  /* [count] */
    int64_t count;
    norm_weights norm;
};

enum { MLP_FACTOR = 4 };

/* Deviations as in CLIP's text tower: a layer's branches add little at the start. */
static text_block declare_block(graph *g, const text_encoder_config *c)
{
    int64_t width = c->width, wide = MLP_FACTOR * width;
    float in = 1.0f / sqrtf((float)width), out = in / sqrtf(2.0f * (float)c->layers);
    text_block w;
    w.norm1 = nn_norm_weights(g, "norm1", width);
    w.attention = nn_attention_weights(g, "attention", width, c->heads, in, out);
    w.norm2 = nn_norm_weights(g, "norm2", width);
    w.up = nn_linear_weights(g, "up", width, wide, true, in / sqrtf(2.0f));
    w.down = nn_linear_weights(g, "down", wide, width, true, out);
    return w;
}

text_encoder *text_encoder_declare(graph *g, const text_encoder_config *c)
{
    text_encoder *w = graph_allocate(g, sizeof *w);
    if (!w) return NULL;
    graph_push(g, "text");
    w->table = nn_embedding(g, "embedding", 0.02f, c->rows, c->width);
    w->padding = nn_embedding(g, "padding", 0.02f, c->tokens, c->width);
    w->position = nn_embedding(g, "position", 0.01f, c->tokens, c->width);
    w->block = graph_allocate(g, (size_t)c->layers * sizeof *w->block);
    w->count = w->block ? c->layers : 0;
    for (int64_t i = 0; i < w->count; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        w->block[i] = declare_block(g, c);
        graph_pop(g);
    }
    w->norm = nn_norm_weights(g, "norm", c->width);
    graph_pop(g);
    return w;
}

static tensor *drop(const text_encoder_config *c, tensor *x, tensor *random)
{
    return random && c->dropout > 0 ? op_dropout(x, (float)c->dropout, random) : x;
}

/* residual + drop(x W^T + bias) */
static tensor *add_branch(const text_encoder_config *c, const linear_weights *w, tensor *x, tensor *residual,
                          tensor *random)
{
    if (random && c->dropout > 0) return op_add(residual, drop(c, nn_linear(w, x), random));
    return nn_linear_add(w, x, residual);
}

static tensor *block(const text_encoder_config *c, const text_block *w, tensor *x, tensor *random)
{
    const mask pattern = { .kind = c->causal ? MASK_CAUSAL : MASK_BIDIRECTIONAL,
                           .text = c->causal ? (int32_t)c->tokens : 0,
                           .side = 1 };
    tensor *mixed = nn_attention(&w->attention, nn_norm(&w->norm1, x), &pattern, NULL);
    tensor *h = add_branch(c, &w->attention.output, mixed, x, random);
    tensor *wide = op_linear_gelu(nn_norm(&w->norm2, h), split_whole(w->up.weight), w->up.bias);
    return add_branch(c, &w->down, wide, h, random);
}

tensor *text_encoder_apply(graph *g, const text_encoder_config *c, const text_encoder *w, tensor *ids,
                           tensor *random)
{
    if (!w) return graph_poison(g);
    graph_push(g, "text");
    tensor *x = op_add(op_embedding_padded(split_whole(w->table), split_whole(w->padding), ids),
                       split_whole(w->position));
    x = drop(c, nn_half(x), random);
    for (int64_t i = 0; i < w->count; ++i) {
        graph_push(g, "block%lld", (long long)i + 1);
        if (c->recompute) graph_recompute_begin(g);
        x = block(c, &w->block[i], x, random);
        if (c->recompute) graph_recompute_end(g);
        graph_pop(g);
    }
    x = nn_norm(&w->norm, x);
    graph_pop(g);
    return x;
}

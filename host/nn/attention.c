/* attention.c -- multi-head attention, over a whole stream or one token at a time against a cache: of a
 * stream to itself under a mask, or to another stream (cross-attention), whose keys may stand before its own
 * (as GLIDE has the text's, arXiv 2112.10741).  The keys' bias adds the same to all of a query's scores,
 * which softmax takes out again: its gradient is 0, and what devices compute for it is rounding (1e-11 of the
 * others'). B batch, T stream positions, H heads, D head size, C = H D.
 * SPDX-License-Identifier: MIT */
#include "host/nn/nn.h"

#include "host/graph/split.h"

#include <math.h>

attention_weights nn_attention_weights(graph *g, const char *name, int64_t size, int64_t heads,
                                       float deviation, float output_deviation)
{
    attention_weights w = { .heads = heads, .head_size = size / heads };
    graph_push(g, "%s", name);
    w.query = nn_linear_weights(g, "query", size, size, true, deviation);
    w.key = nn_linear_weights(g, "key", size, size, true, deviation);
    w.value = nn_linear_weights(g, "value", size, size, true, deviation);
    w.output = nn_linear_weights(g, "output", size, size, true, output_deviation);
    graph_pop(g);
    return w;
}

attention_weights nn_cross_attention_weights(graph *g, const char *name, int64_t size, int64_t context,
                                             int64_t heads, bool own, float deviation, float output_deviation)
{
    attention_weights w = { .heads = heads, .head_size = size / heads };
    graph_push(g, "%s", name);
    w.query = nn_linear_weights(g, "query", size, size, true, deviation);
    if (own) {
        w.key = nn_linear_weights(g, "key", size, size, true, deviation);
        w.value = nn_linear_weights(g, "value", size, size, true, deviation);
    }
    w.context_key = nn_linear_weights(g, "context_key", context, size, true, deviation);
    w.context_value = nn_linear_weights(g, "context_value", context, size, true, deviation);
    w.output = nn_linear_weights(g, "output", size, size, true, output_deviation);
    graph_pop(g);
    return w;
}

static float score_scale(const attention_weights *w)
{
    return 1.0f / sqrtf((float)w->head_size);
}

/* [B,T,C] -> [B,T,H,D] and back, views */
static tensor *split_heads(const attention_weights *w, tensor *x)
{
    return op_reshape(x, 4, (int64_t[]){ x->dim[0], x->dim[1], w->heads, w->head_size });
}
static tensor *merge_heads(tensor *x)
{
    return op_reshape(x, 3, (int64_t[]){ x->dim[0], x->dim[1], x->dim[2] * x->dim[3] });
}

/* [B,T,H,D] -> [B,H,T,D] and back, views */
static tensor *swap_heads(tensor *x)
{
    return op_permute(x, (int[]){ 0, 2, 1, 3 });
}

tensor *nn_attention(const attention_weights *w, tensor *x, const mask *pattern, attention_fill *fill)
{
    tensor *q = split_heads(w, nn_linear(&w->query, x)); /* [B,T,H,D] */
    tensor *k = split_heads(w, nn_linear(&w->key, x));
    tensor *v = split_heads(w, nn_linear(&w->value, x));
    if (fill) *fill = (attention_fill){ swap_heads(k), swap_heads(v) };

    return merge_heads(op_attention(q, k, v, pattern, score_scale(w)));
}

/* [B,Tk,H,D]: the context's, and then x's own if `own` has weights. */
static tensor *cross_keys(const attention_weights *w, const linear_weights *of_context,
                          const linear_weights *own, tensor *context, tensor *x)
{
    tensor *keys = split_heads(w, nn_linear(of_context, context));
    if (!own->weight) return keys;
    return op_concat(2, (tensor *[]){ keys, split_heads(w, nn_linear(own, x)) }, 1);
}

static mask cross_mask(int64_t keys, tensor *valid)
{
    return (mask){ .kind = MASK_BIDIRECTIONAL, .text = valid ? (int32_t)keys : 0, .valid = valid };
}

tensor *nn_cross_attention(const attention_weights *w, tensor *x, tensor *context, tensor *valid,
                           attention_fill *fill)
{
    tensor *q = split_heads(w, nn_linear(&w->query, x)); /* [B,Tq,H,D] */
    tensor *k = cross_keys(w, &w->context_key, &w->key, context, x);
    tensor *v = cross_keys(w, &w->context_value, &w->value, context, x);
    if (fill) *fill = (attention_fill){ swap_heads(k), swap_heads(v) };

    const mask pattern = cross_mask(context->dim[1], valid);
    return merge_heads(op_attention(q, k, v, &pattern, score_scale(w)));
}

tensor *nn_cross_attention_step(const attention_weights *w, const norm_weights *norm, tensor *x,
                                const attention_fill *context, tensor *valid)
{
    tensor *q =
        nn_linear_step(&w->query, norm, x, ACTIVATION_IDENTITY, NULL); /* [B,1,C]; a token's C is its [H,D] */
    const mask pattern = cross_mask(context->keys->dim[2], valid);
    tensor *mixed =
        op_attention_decode(q, NULL, NULL, context->keys, context->values, &pattern, NULL, score_scale(w));
    return nn_linear_step(&w->output, NULL, mixed, ACTIVATION_IDENTITY, x);
}

tensor *nn_attention_step(const attention_weights *w, const norm_weights *norm, tensor *x,
                          const mask *pattern, const attention_cache *cache)
{
    linear_rows_terms terms = { .weight = { split_whole(w->query.weight), split_whole(w->key.weight),
                                            split_whole(w->value.weight) },
                                .bias = { w->query.bias, w->key.bias, w->value.bias },
                                .gain = norm->gain,
                                .shift = norm->bias,
                                .epsilon = NN_NORM_EPSILON };
    tensor *all = op_linear_rows(x, &terms), *part[3]; /* [3,B,1,C]; a token's C is its [H,D] */
    for (int i = 0; i < 3; ++i) part[i] = op_reshape(op_slice(all, 0, i, 1), x->rank, x->dim);
    tensor *mixed = op_attention_decode(part[0], part[1], part[2], cache->keys, cache->values, pattern,
                                        cache->position, score_scale(w));
    return nn_linear_step(&w->output, NULL, mixed, ACTIVATION_IDENTITY, x);
}

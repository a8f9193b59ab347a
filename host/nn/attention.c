/* attention.c -- multi-head attention under an analytic mask, over a whole stream or one token at a
 * time against a cache.  The composition matmul, mask, softmax, matmul is the reference that a fused
 * kernel is to equal.  The keys' bias adds the same to all of a query's scores, which softmax takes out
 * again: its gradient is 0, and what devices compute for it is rounding (1e-11 of the others').
 * B batch, T stream positions, H heads, D head size, C = H D.
 * SPDX-License-Identifier: MIT */
#include "host/nn/nn.h"

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

    return merge_heads(op_attention(q, k, v, pattern, 1.0f / sqrtf((float)w->head_size)));
}

tensor *nn_attention_step(const attention_weights *w, const norm_weights *norm, tensor *x,
                          const mask *pattern, const attention_cache *cache)
{
    linear_rows_terms terms = { .weight = { w->query.weight, w->key.weight, w->value.weight },
                                .bias = { w->query.bias, w->key.bias, w->value.bias },
                                .gain = norm->gain,
                                .shift = norm->bias,
                                .epsilon = NN_NORM_EPSILON };
    tensor *all = op_linear_rows(x, &terms), *part[3]; /* [3,B,1,C]; a token's C is its [H,D] */
    for (int i = 0; i < 3; ++i) part[i] = op_reshape(op_slice(all, 0, i, 1), x->rank, x->dim);
    tensor *mixed = op_attention_decode(part[0], part[1], part[2], cache->keys, cache->values, pattern,
                                        cache->position, 1.0f / sqrtf((float)w->head_size));
    return nn_linear_step(&w->output, NULL, mixed, ACTIVATION_IDENTITY, x);
}

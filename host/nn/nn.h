/* nn.h -- layers that own parameters.  Each declares its weights once, in the graph's current scope,
 * as <name>.weight, <name>.bias; applying a layer is a function of those weights.
 * Where the graph has a half (graph_set_half), the weights of products are cast to it once a run, and layers
 * give results in it; gains, biases and embeddings stay as they are.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_NN_NN_H
#define DALLE_CL_NN_NN_H

#include "host/ops/mask.h"
#include "host/ops/ops.h"

/* A trained parameter, normal with the given deviation (0: zeros).  Weight decay applies to it unless it is
 * a gain or a bias.  Gains, biases and embeddings are wide (store_entry) and always F32. */
tensor *nn_weight(graph *g, const char *name, float deviation, int rank, const int64_t *dim);
tensor *nn_embedding(graph *g, const char *name, float deviation, int64_t rows, int64_t size);
tensor *nn_bias(graph *g, const char *name, int64_t size);
tensor *nn_gain(graph *g, const char *name, int64_t size);

/* Scales of the gradients of `count` residual blocks, F32 [count], at first 2^start each; their state is the
 * store's NN_SCALES. */
#define NN_SCALES "gradient_scales"
tensor *nn_block_scales(graph *g, int64_t count, float start);
/* x in the graph's half: where activations begin that are stored so. */
tensor *nn_half(tensor *x);

typedef struct linear_weights {
    tensor *weight, *bias; /* [Cout, Cin], [Cout] or NULL */
} linear_weights;
linear_weights nn_linear_weights(graph *g, const char *name, int64_t in, int64_t out, bool bias,
                                 float deviation);
/* To logits, without a bias: wide. */
linear_weights nn_unembedding_weights(graph *g, const char *name, int64_t in, int64_t out, float deviation);
tensor *nn_linear(const linear_weights *w, tensor *x);                       /* [.., Cin] -> [.., Cout] */
tensor *nn_linear_wide(const linear_weights *w, tensor *x);                  /* the same, F32 in any case */
tensor *nn_linear_add(const linear_weights *w, tensor *x, tensor *residual); /* that plus residual */

typedef struct conv_weights {
    tensor *weight, *bias; /* [Cout, k, k, Cin], [Cout] */
} conv_weights;
/* Normal with deviation 1/sqrt(Cin k^2), bias 0 (openai/DALL-E: dall_e/utils.py). */
conv_weights nn_conv_weights(graph *g, const char *name, int64_t in, int64_t out, int64_t kernel);
/* The same, wide: what makes logits of codes, and what reads codes. */
conv_weights nn_wide_conv_weights(graph *g, const char *name, int64_t in, int64_t out, int64_t kernel);
tensor *nn_conv(const conv_weights *w, tensor *x);      /* [B,Y,X,Cin] -> [B,Y,X,Cout] */
tensor *nn_conv_wide(const conv_weights *w, tensor *x); /* the same, F32 in any case */
tensor *nn_conv_relu(const conv_weights *w, tensor *x);
tensor *nn_conv_add(const conv_weights *w, tensor *x, float gain,
                    tensor *residual); /* residual + gain conv(x) */

typedef struct norm_weights {
    tensor *gain, *bias; /* [C] */
} norm_weights;
norm_weights nn_norm_weights(graph *g, const char *name, int64_t size);
#define NN_NORM_EPSILON 1e-5f
tensor *nn_norm(const norm_weights *w, tensor *x); /* layer normalisation */

typedef struct attention_weights {
    linear_weights query, output;
    linear_weights key, value;                 /* of the stream that asks, if it sees itself */
    linear_weights context_key, context_value; /* of another stream, if it sees one */
    int64_t heads, head_size;
} attention_weights;
attention_weights nn_attention_weights(graph *g, const char *name, int64_t size, int64_t heads,
                                       float deviation, float output_deviation);
/* Of a stream of width `size` that asks another one, of width `context`; with `own`, itself as well. */
attention_weights nn_cross_attention_weights(graph *g, const char *name, int64_t size, int64_t context,
                                             int64_t heads, bool own, float deviation,
                                             float output_deviation);

/* Keys and values of one layer while decoding, [B,H,T,D] each, and where the new token goes. */
typedef struct attention_cache {
    tensor *keys, *values;
    tensor *position; /* I32 [1] */
} attention_cache;

/* Scaled dot-product attention over the stream, before its output layer: x [B,T,C] -> [B,T,C].  `fill` (may
 * be NULL) receives the keys and values of all T positions, as [B,H,T,D]. */
typedef struct attention_fill {
    tensor *keys, *values;
} attention_fill;
tensor *nn_attention(const attention_weights *w, tensor *x, const mask *pattern, attention_fill *fill);
/* Queries of x [B,Tq,C] over the keys of context [B,Tk,Cc], before the output layer -> like x; with own keys,
 * over x's too, which come after the context's.  Every key is seen, but for the context's from valid[b] on
 * (I32 [B], or NULL). `fill` (may be NULL) receives all those keys and values, as [B,H,Tk,D]. */
tensor *nn_cross_attention(const attention_weights *w, tensor *x, tensor *context, tensor *valid,
                           attention_fill *fill);
/* One new token, x [B,1,C]: x plus attention of norm(x) over the cache, which is updated in place.  The same
 * bits for a picture whatever B is. */
tensor *nn_attention_step(const attention_weights *w, const norm_weights *norm, tensor *x,
                          const mask *pattern, const attention_cache *cache);
/* One token, x [B,1,C], over a context's keys and values alone: x plus attention of norm(x) over them.  They
 * are [B,H,Tk,D], as nn_cross_attention's fill gave them; the same bits for a sample whatever B is. */
tensor *nn_cross_attention_step(const attention_weights *w, const norm_weights *norm, tensor *x,
                                const attention_fill *context, tensor *valid);
/* The same of a linear layer: act(norm(x) W^T + bias) + residual, without what is NULL. */
tensor *nn_linear_step(const linear_weights *w, const norm_weights *norm, tensor *x, activation f,
                       tensor *residual);

#endif

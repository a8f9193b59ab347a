/* ops.h -- the catalogue of operators: one line of mathematics each.
 * A builder appends nodes to its arguments' graph and returns a borrowed tensor; a mistake in shapes
 * is latched by the graph (host/graph/graph.h).  Operators with a gradient say so by having one; ids,
 * masks, random states and control values never get gradients.
 * Letters: B batch, T tokens, C channels, H heads, D head size, V vocabulary, K codes, Y X pixels.
 * Adding an operator: CONTRIBUTING.md.
 * Names: op_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_OPS_H
#define DALLE_CL_OPS_OPS_H

#include "host/base/activation.h"
#include "host/base/window.h"
#include "host/graph/graph.h"

/* One operator a line. */
/* clang-format off */
/* ---- Views: no work, no memory --------------------------------------------------------------- */
/* x contiguous, else copied; one dim may be -1 */
tensor *op_reshape(tensor *x, int rank, const int64_t *dim);
tensor *op_permute(tensor *x, const int *axes);                   /* axes: a permutation of x's */
tensor *op_slice(tensor *x, int axis, int64_t start, int64_t count);
tensor *op_stop_gradient(tensor *x);                              /* x, through which no gradient flows */

/* ---- Copies ---------------------------------------------------------------------------------- */
tensor *op_contiguous(tensor *x);                                 /* x itself if it is */
tensor *op_cast(tensor *x, dtype type);                           /* contiguous, in another storage type */
/* The same of a parameter, for products: its gradient stays in that type, as the product gave it */
tensor *op_cast_weight(tensor *parameter, dtype type);
tensor *op_concat(int count, tensor *const *parts, int axis);     /* up to NODE_INPUTS_MAX parts */

/* ---- Element-wise.  Axes are matched from the last; one of size 1, or missing, is repeated: [C] or [B,1,C]
 * with [B,T,C] */
tensor *op_add(tensor *a, tensor *b);
tensor *op_sub(tensor *a, tensor *b);
tensor *op_mul(tensor *a, tensor *b);
tensor *op_div(tensor *a, tensor *b);
tensor *op_scale(tensor *x, float factor);                        /* factor x */
tensor *op_affine(tensor *x, float factor, float shift);          /* factor x + shift */
tensor *op_square(tensor *x);
tensor *op_exp(tensor *x);
tensor *op_log(tensor *x);
tensor *op_sigmoid(tensor *x);
tensor *op_relu(tensor *x);
tensor *op_gelu(tensor *x);                                       /* exact: x Phi(x) */
/* any of host/base/activation.h; identity: x itself */
tensor *op_activation(tensor *x, activation f);
tensor *op_clamp(tensor *x, float low, float high);               /* gradient 1 inside, 0 outside */

/* ---- Reductions, deterministic ---------------------------------------------------------------- */
tensor *op_sum_last(tensor *x);                                   /* [.., C] -> [.., 1] */
tensor *op_sum_rows(tensor *x);                                   /* [.., C] -> [C] */
tensor *op_sum_all(tensor *x);                                    /* -> [1] */
tensor *op_mean_all(tensor *x);                                   /* -> [1] */
/* [.., C] -> I32 [..]; ties: the lowest index */
tensor *op_argmax_last(tensor *x);

/* ---- Linear algebra --------------------------------------------------------------------------- */
/* a [.., M, K], b [.., K, N] (views welcome) -> [.., M, N]; leading axes equal, or b has none. */
tensor *op_matmul(tensor *a, tensor *b);
tensor *op_matmul_nt(tensor *a, tensor *b);                       /* a b^T: b [.., N, K] */
tensor *op_matmul_tn(tensor *a, tensor *b);                       /* a^T b: a [.., K, M] */
/* y = x W^T + bias: x [.., Cin], weight [Cout, Cin], bias [Cout] or NULL */
tensor *op_linear(tensor *x, tensor *weight, tensor *bias);
/* x W^T + bias + residual */
tensor *op_linear_add(tensor *x, tensor *weight, tensor *bias, tensor *residual);
tensor *op_linear_relu(tensor *x, tensor *weight, tensor *bias);
tensor *op_linear_gelu(tensor *x, tensor *weight, tensor *bias);
tensor *op_linear_activation(tensor *x, tensor *weight, tensor *bias, activation f);
/* act(x W^T + bias), stored as `type` whatever x is stored as */
tensor *op_linear_to(tensor *x, tensor *weight, tensor *bias, activation f, dtype type);
/* For decoding: act(norm(x) W^T + bias) + residual, bit for bit independent of the number of rows; no
 * gradient.  Several weights of one size give [parts, .., Cout]. */
#define LINEAR_ROWS_PARTS 3
typedef struct linear_rows_terms {
    /* the first NULL weight ends them; biases: all or none */
    tensor *weight[LINEAR_ROWS_PARTS], *bias[LINEAR_ROWS_PARTS];
    /* of the layer normalisation before; NULL: none */
    tensor *gain, *shift;
    float epsilon;
    activation activation;
    tensor *residual; /* like the result, or NULL; one weight only */
} linear_rows_terms;
tensor *op_linear_rows(tensor *x, const linear_rows_terms *terms);
/* Stride 1, padding (k-1)/2, odd sizes: x [B,Y,X,Cin], weight [Cout,ky,kx,Cin], bias [Cout] or NULL ->
 * [B,Y,X,Cout] */
tensor *op_conv2d(tensor *x, tensor *weight, tensor *bias);
tensor *op_conv2d_relu(tensor *x, tensor *weight, tensor *bias);
/* residual + gain (conv + bias) */
tensor *op_conv2d_add(tensor *x, tensor *weight, tensor *bias, float gain, tensor *residual);
/* conv + bias, stored as `type` whatever x is stored as */
tensor *op_conv2d_to(tensor *x, tensor *weight, tensor *bias, dtype type);

/* f(conv + bias) of any window, whose size is the weight's: -> [B, its places along Y, along X, Cout] */
tensor *op_conv2d_window(tensor *x, tensor *weight, tensor *bias, const window *w, activation f);

/* ---- Images ----------------------------------------------------------------------------------- */
/* [B,Y,X,C] -> [B,Y/2,X/2,C]; ties: the first in raster order */
tensor *op_max_pool2(tensor *x);
/* Of any window, overlapping or not; padding (less than the window) is not seen: ties as above.  A mean is
 * over the pixels seen, or, if count_padding, over the whole window.  [B,Y,X,C] -> [B,Y',X',C] */
tensor *op_max_pool(tensor *x, const window *w);
tensor *op_average_pool(tensor *x, const window *w, bool count_padding);
tensor *op_upsample2(tensor *x);                                  /* nearest: [B,Y,X,C] -> [B,2Y,2X,C] */

/* ---- Rows ------------------------------------------------------------------------------------- */
tensor *op_softmax(tensor *x);                                    /* over the last axis */
tensor *op_log_softmax(tensor *x);
tensor *op_layer_norm(tensor *x, tensor *gain, tensor *bias, float epsilon);
/* Group normalisation (arXiv 1803.08494) of x [B,..,C], the axes between as one, `groups` of C's neighbours
 * together, then gain, bias [C], then h (1 + scale) + shift with scale, shift [B,C] (both or neither NULL),
 * then f. */
tensor *op_group_norm(tensor *x, int64_t groups, tensor *gain, tensor *bias, tensor *scale, tensor *shift, float epsilon,
                      activation f);
/* t F32 [B] -> F32 [B,C]: cos(t w_i) for i < C/2, then sin(t w_i), w_i = exp(-ln(period) i / (C/2)) */
tensor *op_timestep_embedding(tensor *t, int64_t channels, float period);
/* [V,C], I32 [..] -> [.., C]; deterministic gradient */
tensor *op_embedding(tensor *table, tensor *ids);
/* The sum of up to three such terms, term[0] + (term[1] + term[2]).  The others' ids have one shape, a suffix
 * of the first's (B.1: the row and column embedding of every token's place). */
#define EMBEDDING_TERMS 3
typedef struct embedding_term {
    tensor *table, *ids;
} embedding_term;
tensor *op_embedding_sum(int count, const embedding_term *term);
/* Rows of `a` where ids >= 0 (the embedding of the id), rows of `b` (position t = row index mod T, b [T,C])
 * where ids < 0: the learned padding embedding per position of DALL-E (B.1).  ids I32 [B,T] -> [B,T,C] */
tensor *op_embedding_padded(tensor *table, tensor *padding, tensor *ids);
/* -log softmax(logits)[target] per row: [.., V], I32 [..] -> F32 [..]; a negative target gives 0 and no
 * gradient */
tensor *op_cross_entropy(tensor *logits, tensor *targets);

/* ---- Attention masks, analytic (host/ops/mask.h says which key each query sees) ----------------- */
struct mask;
/* scores [.., Tq, Tk] + (0 where visible, -inf where not), whatever the mask's `valid`.  `position` (I32 [1])
 * is the first query's place in the stream, or NULL where the queries are its last. */
tensor *op_mask(tensor *scores, const struct mask *pattern, tensor *position);
/* softmax(scale q k^T + mask) v without storing scores: q [B,Tq,H,D], k and v [B,Tk,H,D] -> like q */
tensor *op_attention(tensor *q, tensor *k, tensor *v, const struct mask *pattern, float scale);

/* ---- Random numbers ---------------------------------------------------------------------------- */
/* `random`: I32 [4] control tensor {seed low, seed high, step, first sample}.  The stream is the hash
 * of the node's scoped name; element counts from the first sample's, each sample having count/B elements. */
/* x / (1-p) kept, 0 dropped; axis 0 is the batch */
tensor *op_dropout(tensor *x, float probability, tensor *random);
/* softmax((logits + g) / tau), g standard Gumbel: [B,..,K]; tau F32 [1].  Eq. of arXiv 1611.01144. */
tensor *op_gumbel_softmax(tensor *logits, tensor *tau, tensor *random);
tensor *op_gumbel_softmax_to(tensor *logits, tensor *tau, tensor *random, dtype type); /* stored as `type` */
/* Standard normal numbers, shaped as x [B,..], whose values do not matter; no gradient.  Sample b's are those
 * of the stream hash(name) + random[3] + b, step random[2], element = place in the sample: the same whatever
 * is beside it. */
tensor *op_normal(tensor *like, tensor *random);

/* ---- Losses ------------------------------------------------------------------------------------ */
/* KL(softmax(logits) || uniform) per row: [.., K] -> F32 [..] (2.1 of arXiv 2102.12092) */
tensor *op_categorical_kl(tensor *logits);
/* -ln f(x; mu, b) per channel value, f the logit-Laplace density (A.3 of arXiv 2102.12092):
 * x [..,3] already mapped into (epsilon, 1-epsilon); stats [..,6] = mu (3), ln b (3) -> F32 [..,3] */
tensor *op_logit_laplace(tensor *x, tensor *stats);
/* The variational bound's term of x_{t-1} per value, in nats (arXiv 2102.09672, 3.1): x0, x_t, predicted x0,
 * v [B,..,C]; coefficients F32 [B,8] = {the posterior mean's factor of x0, of x_t, ln of the posterior
 * variance (clipped), ln beta, 1 where t = 0 else 0, ..}.  Where t > 0 the KL divergence of the posterior and
 * the Gaussian about its mean by the predicted x0, of ln variance (1+v)/2 ln beta + (1-v)/2 ln posterior;
 * where t = 0 minus the log-likelihood of x0, discretised to 256 levels of [-1,1].  Gradient to v only.
 * -> F32, shaped as x0 */
tensor *op_variational_bound(tensor *x0, tensor *xt, tensor *predicted_x0, tensor *v, tensor *coefficients);

/* ---- Vector quantisation ------------------------------------------------------------------------ */
/* Index of the nearest code: z [..,C], codebook [K,C] -> I32 [..]; ties: the lowest index */
tensor *op_nearest_code(tensor *z, tensor *codebook);
/* Straight-through: value of `hard`, gradient to `soft`. */
tensor *op_straight_through(tensor *hard, tensor *soft);
/* Counts and sums of the rows assigned to each code, deterministic: ids I32 [N], z [N,C], codes K ->
 * counts F32 [K], sums F32 [K,C] */
void op_code_statistics(tensor *ids, tensor *z, int64_t codes, tensor **counts, tensor **sums);
/* EMA codebook update in place (A.1 of arXiv 1711.00937): N = d N + (1-d) counts, M = d M + (1-d) sums,
 * code = M / smoothed N where a row came to it; one with N < revive is replaced by a random row of z (by
 * `random`). Returns the codebook after the update (graph_update it); nothing happens when flags[0] (I32 [1])
 * is 0. */
tensor *op_codebook_update(tensor *codebook, tensor *usage, tensor *mean, tensor *counts, tensor *sums, tensor *z,
                           tensor *random, tensor *flag, float decay, float revive);

/* ---- Residual blocks in 16 bits on an identity path of F32 (Figure 4 of arXiv 2102.12092) ------- */
/* Where a block reads: x as `type`.  The gradient, which carries the block's scale (F32 [1]), is divided by
 * it, and 0 where that is not finite: one block's overflow stays its own. */
tensor *op_block_begin(tensor *x, tensor *scale, dtype type);
/* Where it adds: residual + branch, in residual's type.  The branch's gradient, in its own type, is times the
 * scale. */
tensor *op_block_end(tensor *residual, tensor *branch, tensor *scale);

/* ---- Optimizer: in place; return the updated parameter (graph_update it) ------------------------ */
/* Sum of squares of several tensors -> F32 [1], in a fixed order. */
tensor *op_sum_squares(int count, tensor *const *parts);
/* How many elements of several tensors are 0 -> F32 [1] */
tensor *op_count_zeros(int count, tensor *const *parts);
/* {clip factor, norm, finite}: scale = min(1, limit / norm), from the sum of squares; limit 0 = no clip.
 * F32 [4] = {scale, norm, finite ? 1 : 0, 0}. */
tensor *op_gradient_scale(tensor *sum_squares, float limit);
/* Gradient scales, one a group of gradients (16 bits would round what is small to 0): `state` F32 [G,4], at
 * first 0, is the store's and says where each stands beside 2^start -> F32 [G]. */
tensor *op_scales(tensor *state, float start);
/* In the place of op_gradient_scale: sums F32 [1+G], of the squares of what is not scaled, then of each
 * scaled group -> F32 [1+G,4], of which each row is what op_adamw takes as `scale`: row 0 {clip factor,
 * norm, go, 0}, then {clip factor / scale, norm, go, scale}.  The norm leaves out groups that are not
 * finite, which do not go; nothing goes where row 0's sum is not finite, or no group's. */
tensor *op_scales_status(tensor *sums, tensor *scale, float limit);
/* How scales move, in thousandths of a doubling: up by `grow` after `every` finite steps in a row, down by
 * `shrink` in a step that is not finite, unless they fell within the `apart` steps before; low and high are
 * counted from the start. */
typedef struct scales_rule {
    int32_t grow, every, shrink, apart, low, high;
} scales_rule;
/* The state after the step, in place (graph_update it). */
tensor *op_scales_update(tensor *state, tensor *status, const scales_rule *rule);
/* AdamW (arXiv 1711.05101) with bias correction; schedule F32 [4] = {learning rate, 1 - beta1^t,
 * 1 - beta2^t, 0}; scale = op_gradient_scale: gradients are multiplied by scale[0]; nothing changes when
 * scale[2] is 0.  Parameter, mean and variance are stored in any floating type: rounded to nearest, or with
 * `random` (I32 [4] as above, or NULL) at random, by the draws of the stream.  The step is that of the
 * moments before they are rounded. */
typedef struct adamw_terms {
    float beta1, beta2, epsilon, decay;
    float variance_limit; /* the running variance is clipped to it by value; 0: is not */
    uint32_t stream;
} adamw_terms;
tensor *op_adamw(tensor *parameter, tensor *gradient, tensor *mean, tensor *variance, tensor *schedule, tensor *scale,
                 tensor *random, const adamw_terms *terms);
/* average = d average + (1-d) parameter with d = decay[0] (F32 [1], 1 = leave as is) */
tensor *op_ema(tensor *average, tensor *parameter, tensor *decay);

/* ---- Gradients compressed (host/train/powersgd.h) ----------------------------------------------- */
/* Rows that are orthonormal and span what those of factor x + shift I do: x [.., r, n], r <= n -> like x */
tensor *op_householder(tensor *x, float factor, float shift);
/* error += factor x / scale[0] (F32 [1], or NULL: 1), in place; what is not finite becomes not a number;
 * returns it */
tensor *op_error_add(tensor *kept, tensor *x, tensor *scale, float factor);
/* error -= x if scale[2] (op_gradient_scale), then 0 where it is not finite, in place; returns it */
tensor *op_error_take(tensor *kept, tensor *x, tensor *scale);

/* ---- A batch in parts (host/train/division.h); random[3] is the part's first sample ------------- */
/* sum = (0 if that is 0, else sum) + scale x, in place; returns it */
tensor *op_part_add(tensor *sum, tensor *x, tensor *random, float scale);
/* whole [B,..] gets x [n,..] as its samples from there on, in place; both floating or both I32; returns it */
tensor *op_part_put(tensor *whole, tensor *x, tensor *random);

/* ---- Decoding ------------------------------------------------------------------------------------ */
/* cache [B,H,T,D] gets x [n,H,t,D], of which row b mod n goes to b (n divides B), at rows position[0].. in
 * place; both floating or both I32; returns the cache */
tensor *op_cache_write(tensor *cache, tensor *x, tensor *position);
/* {position in the stream, number of the image token, row, column} of the next token, in place; returns it */
tensor *op_next_place(tensor *place, int64_t side);
/* One token against a cache: q, key, value, [B,H,D] in any shape; keys, values [B,H,T,D], which get key and
 * value at position[0] -> like q, attention over the keys that the mask shows at position[0]; sums in an
 * order independent of B. Without key and value (NULL) keys and values are read only; without position the
 * token's place is T - 1. */
tensor *op_attention_decode(tensor *q, tensor *key, tensor *value, tensor *keys, tensor *values, const struct mask *pattern, tensor *position, float scale);
/* Draws one token per row: logits [B,V]; settings F32 [4] = {temperature (0: argmax), top-k (0: all), top-p
 * (1: all), guidance (op_sample_into only)}; random I32 [4] = {seed low, seed high, step, first picture}: row
 * b draws with stream = hash(name) of the operator + first picture + b, element = position[0] -> I32 [B] */
tensor *op_sample(tensor *logits, tensor *settings, tensor *random, tensor *position);
/* The same, drawn into `token` I32 [B], and into row position[0] of `history` I32 [T,B], in place; an update.
 * The same row of `entropies` F32 [T,B] gets the entropy of softmax(logits) in nats, whatever the settings.
 * Of logits [2B,V], rows 2b and 2b+1 are picture b's with and without its caption: it is drawn from without +
 * guidance (with - without), into both rows of `token` I32 [2B]; the entropy is that of its row 2b. */
void op_sample_into(tensor *logits, tensor *settings, tensor *random, tensor *position, tensor *token, tensor *history,
                    tensor *entropies);
/* clang-format on */

#endif

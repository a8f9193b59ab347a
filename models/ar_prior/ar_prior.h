/* ar_prior.h -- the autoregressive prior of DALL-E 2: a caption to the CLIP embedding of a picture that it
 * could have, number by number (arXiv 2204.06125, 2.2).
 *
 * Of an embedding the first principal components are kept, in the order of their variance, each as one of
 * `buckets` numbers (codes.h).  The stream is the encoded caption, T positions; the CLIP's embedding of the
 * caption; a token for how near the two embeddings are, in buckets too; then the components' buckets.
 * Position T+1's output predicts the first component, and so on; the last one is not read.
 * B batch, T text positions, D components kept, K buckets, M buckets of nearness, E numbers of an embedding,
 * C width, S = T + 1 + D positions.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_H
#define DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_H

#include "host/nn/nn.h"
#include "models/training.h"
#include "models/unclip/text_encoder.h"

#define CONFIG_AS_ENUMS
#include "host/base/config_def.h"
#include "models/ar_prior/config.def"
#include "host/base/config_undef.h"

typedef struct ar_prior_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/ar_prior/config.def"
#include "host/base/config_undef.h"
} ar_prior_config;
extern const config_table ar_prior_config_table;
/* Settings that make the shape of its parameters, but for those of its text, for request_take_sizes. */
extern const char *const ar_prior_sizes[];

/* What its CLIP gives. */
typedef struct ar_prior_shape {
    int64_t embedding; /* E */
} ar_prior_shape;

/* Settings that are left to the data set for one of so many pictures; *chosen (may be NULL) says whether the
 * number of steps was among them. */
void ar_prior_fit(ar_prior_config *c, int64_t pictures, bool *chosen);
/* `shape` may be NULL while it is not known; then text_tokens may be 0, too. */
bool ar_prior_config_check(const ar_prior_config *c, const ar_prior_shape *shape, error *err);
int64_t ar_prior_positions(const ar_prior_config *c); /* S */
/* The ids of tokens: components' buckets are 0 .. K-1, buckets of nearness follow, then this one, which says
 * nothing of it. */
int32_t ar_prior_near_token(const ar_prior_config *c, int64_t bucket);
int32_t ar_prior_unsaid_token(const ar_prior_config *c);

/* ---- Weights ---- */

typedef struct ar_prior_block {
    norm_weights norm1, norm2;
    attention_weights attention;
    linear_weights up, down;
} ar_prior_block;

typedef struct ar_prior_weights {
    text_encoder *text;
    linear_weights text_projection;    /* text_width -> C */
    linear_weights caption_projection; /* E -> C, of the caption's embedding */
    tensor *tokens, *position;         /* [K+M+1,C], [S,C] */
    ar_prior_block *blocks;            /* [layers] */
    norm_weights norm;
    linear_weights logits; /* C -> K */
} ar_prior_weights;
/* Declares every parameter. */
ar_prior_weights ar_prior_declare(graph *g, const ar_prior_config *c, const ar_prior_shape *shape);

/* ---- The network ---- */

text_encoder_config ar_prior_text(const ar_prior_config *c);
mask ar_prior_mask(const ar_prior_config *c);
/* The stream's beginning: text I32 [B,T] (-1: no token there), caption F32 [B,E] (the CLIP's embedding of it,
 * zeros: none) -> [B,T+1,C], with positions.  `random` (I32 [4]) drives dropout and may be NULL for none. */
tensor *ar_prior_embed_caption(graph *g, const ar_prior_config *c, const ar_prior_weights *w, tensor *text,
                               tensor *caption, tensor *random);
/* One pre-normalised block; `fill` (may be NULL) receives its keys and values. */
tensor *ar_prior_apply_block(graph *g, const ar_prior_config *c, const ar_prior_block *w, tensor *x,
                             tensor *random, attention_fill *fill);
/* The same for one new token, [B,1,C], against the cache; the same bits for a sample whatever B is. */
tensor *ar_prior_block_step(const ar_prior_config *c, const ar_prior_block *w, tensor *x,
                            const attention_cache *cache);
/* read I32 [B,D]: the token of nearness, then all components but the last -> logits [B,D,K] of the
 * components. */
tensor *ar_prior_logits(graph *g, const ar_prior_config *c, const ar_prior_weights *w, tensor *text,
                        tensor *caption, tensor *read, tensor *random);

#endif

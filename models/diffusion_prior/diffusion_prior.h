/* diffusion_prior.h -- the prior of DALL-E 2 that makes a picture's CLIP embedding from a caption by
 * diffusion (arXiv 2204.06125, 2.2).
 *
 * A causal transformer reads a sequence of T + 4: the caption's tokens, the CLIP embedding of the caption,
 * the timestep, the noised embedding, and a learned query, whose output is the prediction.
 * B batch, T text positions, E numbers of an embedding, W width, V rows of the token table.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_H
#define DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_H

#include "models/training.h"
#include "models/unclip/diffusion.h"
#include "host/nn/nn.h"

#define CONFIG_AS_ENUMS
#include "host/base/config_def.h"
#include "models/diffusion_prior/config.def"
#include "host/base/config_undef.h"

typedef struct diffusion_prior_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/diffusion_prior/config.def"
#include "host/base/config_undef.h"
} diffusion_prior_config;
extern const config_table diffusion_prior_config_table;
/* Settings that make the shape of its parameters, for request_take_sizes. */
extern const char *const diffusion_prior_sizes[];

/* Settings that are left to the data set, for one of so many pictures; *chosen (may be NULL) says whether the
 * number of steps was among them. */
void diffusion_prior_fit(diffusion_prior_config *c, int64_t pictures, bool *chosen);
bool diffusion_prior_config_check(const diffusion_prior_config *c, error *err);
/* The whole process that the settings name; to be freed. */
bool diffusion_prior_process(const diffusion_prior_config *c, diffusion *out, error *err);

typedef struct diffusion_prior_block {
    norm_weights norm1, norm2;
    attention_weights attention;
    linear_weights up, down;
} diffusion_prior_block;

typedef struct diffusion_prior_weights {
    tensor *table, *padding, *position; /* [V,W], [T,W], [T+4,W] */
    linear_weights caption;             /* E -> W: the caption's embedding */
    linear_weights time1, time2;        /* W -> W each, with SiLU between them */
    linear_weights noised;              /* E -> W */
    tensor *query;                      /* [1,W] */
    diffusion_prior_block *blocks;      /* [layers] */
    norm_weights norm;
    linear_weights out; /* W -> E */
} diffusion_prior_weights;
/* Declares every parameter, for embeddings of `embedding` numbers. */
diffusion_prior_weights diffusion_prior_declare(graph *g, const diffusion_prior_config *c, int64_t embedding);

/* Embeddings [B,E] of length 1 as the process has them, x_0: multiplied by embedding_scale, or with the mean
 * and the deviation of each of their numbers taken out, entries of the store that are no parameters. */
#define DIFFUSION_PRIOR_MEAN      "embedding_mean"
#define DIFFUSION_PRIOR_DEVIATION "embedding_deviation"
tensor *diffusion_prior_scale(graph *g, const diffusion_prior_config *c, tensor *embedding);

/* What the prediction is conditioned on: tokens I32 [B,T], -1 where none is, the embedding F32 [B,E] of the
 * caption.  Of a caption that is left out all tokens are -1, and the embedding is 0. */
typedef struct diffusion_prior_condition {
    tensor *tokens, *caption;
} diffusion_prior_condition;
diffusion_prior_condition diffusion_prior_condition_input(graph *g, const diffusion_prior_config *c,
                                                          int64_t samples, int64_t embedding);
/* x [B,E] noised, time F32 [B] -> [B,E].  `random` drives dropout and may be NULL. */
tensor *diffusion_prior_predict(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                                const diffusion_prior_condition *in, tensor *x, tensor *time, tensor *random);
/* The same in two, for drawing: keys and values of the caption's rows, which every step shares, into entries
 * of `memory`; and what is then left to be computed of x and time. */
void diffusion_prior_read(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                          const diffusion_prior_condition *in, store *memory);
tensor *diffusion_prior_say(graph *g, const diffusion_prior_config *c, const diffusion_prior_weights *w,
                            store *memory, tensor *x, tensor *time);

#endif

/* prior.h -- the transformer of DALL-E: text and image tokens as one stream, predicted token by token.
 * Stage two of arXiv 2102.12092 (2.2, B.1).
 *
 * The stream is `text_tokens` text positions, then side x side image tokens in raster order.  Position
 * j's output predicts token j+1: the last text position predicts the first image token, the first text
 * token is given, and the last image token's output is unused.
 * B batch, T text positions, N image tokens, S = T + N, C width, V text and K image vocabulary.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_PRIOR_H
#define DALLE_CL_MODELS_PRIOR_PRIOR_H

#include "host/nn/nn.h"
#include "models/training.h"

#define CONFIG_AS_ENUMS
#include "host/base/config_def.h"
#include "models/prior/config.def"
#include "host/base/config_undef.h"

typedef struct prior_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/prior/config.def"
#include "host/base/config_undef.h"
} prior_config;
extern const config_table prior_config_table;
/* Settings that make the shape of its parameters, but for those of its text, for request_take_sizes. */
extern const char *const prior_sizes[];

/* A prior with the size of picture it draws, which its dVAE gives. */
typedef struct prior_shape {
    int64_t side;  /* image tokens a side */
    int64_t codes; /* image vocabulary */
} prior_shape;

/* Settings that are left to the data set, but for text_tokens, for one of so many pictures; *chosen (may be
 * NULL) says whether the number of steps was among them. */
void prior_fit(prior_config *c, int64_t pictures, bool *chosen);
bool prior_config_check(const prior_config *c, const prior_shape *shape, error *err);

/* Layer i (from 1) of L: column if (i - 2) mod 4 = 0, else row; the last one convolution (B.1). */
mask prior_mask(const prior_config *c, const prior_shape *shape, int64_t layer);

typedef struct block_weights {
    tensor *scale[2]; /* precision=paper: of the gradients of attention and of the MLP, [1] each; or NULL */
    norm_weights norm1, norm2;
    attention_weights attention;
    linear_weights up, down;
} block_weights;

typedef struct prior_weights {
    tensor *text_table, *padding, *text_position; /* [V,C], [T,C], [T,C] */
    tensor *image_table, *row, *column;           /* [K,C], [side,C], [side,C] */
    block_weights *blocks;                        /* [layers] */
    norm_weights norm;
    linear_weights text_logits, image_logits; /* C -> V, C -> K */
} prior_weights;
/* Declares every parameter. */
prior_weights prior_declare(graph *g, const prior_config *c, const prior_shape *shape);

/* The constant index inputs that pick row and column embeddings: I32 [N] each, see prior_write_places. */
typedef struct prior_places {
    tensor *rows, *columns;
} prior_places;
prior_places prior_places_input(graph *g, const prior_shape *shape);
bool prior_write_places(const prior_places *p, const prior_shape *shape, error *err);

/* text I32 [B,T] (-1: no token there), image I32 [B,N] -> the stream's final states [B,S,C].
 * `random` (I32 [4]) drives dropout and may be NULL for none. */
tensor *prior_states(graph *g, const prior_config *c, const prior_shape *shape, const prior_weights *w,
                     const prior_places *places, tensor *text, tensor *image, tensor *random);
/* One pre-normalised block; `fill` (may be NULL) receives its keys and values. */
tensor *prior_block(graph *g, const prior_config *c, const block_weights *w, tensor *x, const mask *pattern,
                    tensor *random, attention_fill *fill);
/* The same for one new token, [B,1,C], against the cache; the same bits for a picture whatever B is. */
tensor *prior_block_step(const block_weights *w, tensor *x, const mask *pattern,
                         const attention_cache *cache);
/* Padding positions have their own learned embedding in place of a token's, and are not masked (B.1):
 * text I32 [B,T] -> [B,T,C]. */
tensor *prior_embed_text(const prior_weights *w, tensor *text);
/* Image tokens with their places: I32 [B,n] tokens, I32 [n] rows and columns -> [B,n,C]. */
tensor *prior_embed_image(const prior_weights *w, const prior_places *places, tensor *image);
/* States -> logits [B,N,K] that predict the image tokens, and [B,T-1,V] that predict text tokens 1..T-1. */
tensor *prior_image_logits(const prior_config *c, const prior_weights *w, tensor *states);
tensor *prior_text_logits(const prior_config *c, const prior_weights *w, tensor *states);

typedef struct prior_losses {
    tensor *loss, *text, *image; /* [1] each; nats a token */
} prior_losses;
/* text_targets I32 [B,T-1] (-1 where no token is); text_share F32 [1] = 1 / number of text targets.  `read`
 * I32 [B,N]: the image tokens that the model reads, `image` itself but for noise; `image` is what it must
 * predict. */
prior_losses prior_loss(graph *g, const prior_config *c, const prior_shape *shape, tensor *text, tensor *read,
                        tensor *image, tensor *text_targets, tensor *text_share, const prior_places *places,
                        tensor *random);

/* ---- Drawing ---------------------------------------------------------------------------------- */

typedef struct prior_sampler prior_sampler;

/* Draws from a store that holds, or will be loaded with, the parameters.  The graphs that draw `batch`
 * pictures at once with the guidance of the settings are built now (0: none, but the parameters get their
 * memory), others when they are first asked for; some are kept, and go when memory does not suffice for
 * another beside them. */
prior_sampler *prior_sampler_create(store *s, const prior_config *c, const prior_shape *shape, int64_t batch,
                                    bool averages, error *err);
void prior_sampler_destroy(prior_sampler *p);
/* From now on so many pictures at once, if that succeeds; free of cost where the graphs are kept. */
bool prior_sampler_prepare(prior_sampler *p, int64_t batch, error *err);
/* The same for drawings of so many captions in turn, with this guidance, of which so many tokens are
 * given. */
bool prior_sampler_prepare_for(prior_sampler *p, int64_t batch, int64_t texts, double guidance, int64_t given,
                               error *err);
/* Gives back the device memory of all that is kept; what is needed next is built anew. */
void prior_sampler_drop(prior_sampler *p);
int prior_sampler_built(const prior_sampler *p);   /* how often graphs for a number of pictures were built */
bool prior_sampler_joined(const prior_sampler *p); /* whether a token is one launch (device.h, joining) */

typedef struct prior_draw {
    /* [texts][text_tokens], -1 where no token is: picture i reads number i mod texts.  0 is one.  Of several
     * as many as are drawn at once divide that number, or are divided by it. */
    const int32_t *text;
    int64_t texts;
    /* What every picture starts with, [given_count], fewer than it has; read with the text, in one pass. */
    const int32_t *given;
    int64_t given_count;
    uint64_t seed;
    int64_t first,
        count; /* pictures first .. first+count-1: picture i depends on (model, text, given, seed, i) only */
    double temperature;
    int64_t top_k;
    double top_p;
    /* 1: none; otherwise drawn from the logits without + guidance (with - without the caption) */
    double guidance;
    /* NULL, or receives [count][N]: nats of what each token was drawn from, given the caption, at
     * temperature 1 and without guidance; 0 for those given */
    float *entropy;
    /* With the tokens drawn so far. */
    bool (*progress)(void *context, int64_t done, int64_t total);
    void *context;
} prior_draw;
/* Writes [count][N] tokens. */
bool prior_sampler_draw(prior_sampler *p, const prior_draw *draw, int32_t *tokens, error *err);
/* Logits for known image tokens, [N][K], of which the first `given` are read with the text and others one by
 * one; rows before `given` are left as they are.  What tests compare with prior_states. */
bool prior_sampler_logits(prior_sampler *p, const int32_t *text, const int32_t *image, int64_t given,
                          float *logits, error *err);

#endif

/* decoder.h -- the decoder of DALL-E 2, which makes a picture from its CLIP embedding, and its caption if
 * there is one, by diffusion (arXiv 2204.06125, 2.1).
 *
 * The U-Net of GLIDE (2112.10741) with its text encoder; the embedding is projected and added to the
 * timestep's, and becomes some more positions of the context after the text's.
 * B batch, S pixels a side, T text positions, E numbers of an embedding, C channels of the first level, W
 * width of the context's positions.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_DECODER_H
#define DALLE_CL_MODELS_DECODER_DECODER_H

#include "models/training.h"
#include "models/unclip/diffusion.h"
#include "models/unclip/text_encoder.h"
#include "models/unclip/unet.h"

#define CONFIG_AS_ENUMS
#include "host/base/config_def.h"
#include "models/decoder/config.def"
#include "host/base/config_undef.h"

typedef struct decoder_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/decoder/config.def"
#include "host/base/config_undef.h"
} decoder_config;
extern const config_table decoder_config_table;
/* Settings that make the shape of its parameters, but for `inpaint` and those of its text, for
 * request_take_sizes. */
extern const char *const decoder_sizes[];

/* Settings that are left to the data set, for one of so many pictures; *chosen (may be NULL) says whether the
 * number of steps was among them. */
void decoder_fit(decoder_config *c, int64_t pictures, bool *chosen);
bool decoder_config_check(const decoder_config *c, error *err);
unet_config decoder_unet_config(const decoder_config *c);
text_encoder_config decoder_text_config(const decoder_config *c);
/* The whole process that the settings name; to be freed. */
bool decoder_process(const decoder_config *c, diffusion *out, error *err);

/* What the CLIP is like. */
typedef struct decoder_shape {
    int64_t embedding; /* E */
    int64_t text;      /* clip_text: width of its text tower's states */
} decoder_shape;

typedef struct decoder_weights {
    unet *unet;
    text_encoder *text;          /* NULL: clip_text */
    linear_weights states;       /* clip_text: the tower's states -> W, */
    norm_weights states_norm;    /* normalised */
    linear_weights caption_time; /* the text's last state, or with clip_text its embedding -> 4 C */
    linear_weights time;         /* E -> 4 C */
    linear_weights tokens;       /* E -> embedding_tokens W; no weight: none */
    tensor *nothing;             /* [E], or NULL: zeros */
} decoder_weights;
/* Declares every parameter. */
decoder_weights decoder_declare(graph *g, const decoder_config *c, const decoder_shape *shape);

/* What a picture is made from. */
typedef struct decoder_condition {
    tensor *embedding; /* F32 [B,E], each of length 1 */
    tensor *keep;      /* F32 [B,1]: 1, or 0 where the embedding is left out */
    tensor *ids;       /* I32 [B,T], -1 where no token is; NULL with clip_text, which has */
    tensor *states;    /* F32 [B,T,text]: the tower's, */
    tensor *valid;     /* I32 [B]: how many of the context's positions are seen: the embedding's, which come
                        * first, and of the states those of tokens, and */
    tensor *caption;   /* F32 [B,E]: the caption's embedding */
    tensor *given;     /* inpaint: F32 [B,S,S,4]: the picture where it is known, else 0; 1 where it is not */
} decoder_condition;
decoder_condition decoder_condition_input(graph *g, const decoder_config *c, const decoder_shape *shape,
                                          int64_t samples);
/* x [B,S,S,3] noised, in -1..1 without noise, time F32 [B] -> [B,S,S,3, or with learned variances 6].
 * `random` drives dropout and may be NULL. */
tensor *decoder_predict(graph *g, const decoder_config *c, const decoder_weights *w,
                        const decoder_condition *in, tensor *x, tensor *time, tensor *random);

#endif

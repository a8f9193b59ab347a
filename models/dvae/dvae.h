/* dvae.h -- the discrete variational autoencoder of DALL-E: pictures to a grid of codes and back.
 * Stage one of arXiv 2102.12092 (2.1, A.1-A.3); architecture of openai/DALL-E: dall_e/.
 * B batch, Y X pixels or tokens, C channels, K codes.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DVAE_DVAE_H
#define DALLE_CL_MODELS_DVAE_DVAE_H

#include "host/nn/nn.h"
#include "models/training.h"

#define CONFIG_AS_ENUMS
#include "host/base/config_def.h"
#include "models/dvae/config.def"
#include "host/base/config_undef.h"

typedef struct dvae_config {
#define CONFIG_AS_STRUCT
#include "host/base/config_def.h"
#include "models/dvae/config.def"
#include "host/base/config_undef.h"
} dvae_config;
extern const config_table dvae_config_table;
/* Settings that make the shape of its parameters, for request_take_sizes. */
extern const char *const dvae_sizes[];

/* Settings that are left to the data set, for one of so many pictures; *chosen (may be NULL) says whether the
 * number of steps was among them. */
void dvae_fit(dvae_config *c, int64_t pictures, bool *chosen);
/* Checks what single ranges cannot: image_size divisible by 2^(groups-1), and the like. */
bool dvae_config_check(const dvae_config *c, error *err);
int64_t dvae_tokens_side(const dvae_config *c);
static inline bool dvae_is_vq(const dvae_config *c)
{
    return c->quantiser == dvae_quantiser_vq;
}

/* Pixels U8 [B,Y,X,3] to F32 in (epsilon, 1 - epsilon): (1 - 2 epsilon) x / 255 + epsilon. */
tensor *dvae_map_pixels(const dvae_config *c, tensor *pixels);
/* The inverse of that map on sigmoid(mu), clamped to [0,1]: stats [B,Y,X,6] -> [B,Y,X,3]. */
tensor *dvae_reconstruction(const dvae_config *c, tensor *stats);

/* Mapped pixels -> logits [B,y,x,K] (gumbel) or vectors [B,y,x,D] (vq). */
tensor *dvae_encoder(graph *g, const dvae_config *c, tensor *x);
/* Relaxed one-hot codes [B,y,x,K], or code vectors [B,y,x,D] -> mu (3) and ln b (3): [B,Y,X,6]. */
tensor *dvae_decoder(graph *g, const dvae_config *c, tensor *z);
/* The encoder's output -> tokens I32 [B,y,x]. */
tensor *dvae_tokens(graph *g, const dvae_config *c, tensor *encoded);
/* Tokens I32 [B,y,x] -> the decoder's statistics; the input convolution becomes a row lookup. */
tensor *dvae_decode_tokens(graph *g, const dvae_config *c, tensor *tokens);

/* What changes from step to step, read by kernels from the device. */
typedef struct dvae_controls {
    tensor *temperature, *kl_weight; /* F32 [1] */
    tensor *random;                  /* I32 [4] */
    const division *ranks;           /* NULL: one */
} dvae_controls;

typedef struct dvae_losses {
    tensor *loss;           /* [1], what is minimised */
    tensor *reconstruction; /* [1], -ln likelihood a pixel value, or the pixels' error */
    tensor *regulariser;    /* [1], KL a pixel value, or the commitment term */
    tensor *squared_error;  /* [1], mean over pixels in 0..1, of the relaxed reconstruction */
    tensor *tokens;         /* I32 [B,y,x] */
    tensor *encoded;        /* what the encoder gave */
} dvae_losses;
/* pixels U8 [B,Y,X,3].  Declares every parameter. */
dvae_losses dvae_loss(graph *g, const dvae_config *c, tensor *pixels, const dvae_controls *controls);

/* Whether a tensor of a model's file is vq's codebook, which no gradient trains. */
bool dvae_is_codebook(const char *name);
/* vq: the moving-average codebook's update (A.1 of arXiv 1711.00937), to be appended after the
 * optimizer, whose `finite` (I32 [1]) skips it. */
void dvae_update_codebook(graph *g, const dvae_config *c, const dvae_losses *l, tensor *random,
                          tensor *finite);

#endif

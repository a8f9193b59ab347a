/* codec.h -- a trained dVAE at work: pictures to tokens and back, any number of them.
 * Names: dvae_codec_, code_, psnr_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DVAE_CODEC_H
#define DALLE_CL_MODELS_DVAE_CODEC_H

#include "models/dvae/dvae.h"
#include <jansson.h>

typedef struct dvae_codec dvae_codec;

/* Builds the two graphs, `batch` pictures at a time, over a store that holds the parameters or will be
 * loaded with them; `averages`: use the averaged ones.  Either direction can be left out.  CODEC_LATER: their
 * kernels are built when a direction is first used or prepared, for most uses are of one.  CODEC_SCORE:
 * decoding can say how likely pictures are, where the reconstruction is a likelihood. */
typedef enum codec_parts {
    CODEC_ENCODE = 1,
    CODEC_DECODE = 2,
    CODEC_BOTH = 3,
    CODEC_LATER = 4,
    CODEC_SCORE = 8
} codec_parts;
dvae_codec *dvae_codec_create(store *s, const dvae_config *c, codec_parts parts, int64_t batch, bool averages,
                              error *err);
void dvae_codec_destroy(dvae_codec *codec);
bool dvae_codec_prepare(dvae_codec *codec, codec_parts parts, error *err); /* harmless where they are */

/* pixels [count][size][size][3] <-> tokens [count][side][side]. */
bool dvae_codec_encode(dvae_codec *codec, const uint8_t *pixels, int64_t count, int32_t *tokens, error *err);
bool dvae_codec_decode(dvae_codec *codec, const int32_t *tokens, int64_t count, uint8_t *pixels, error *err);

/* Decodes, and says how likely the pictures `real` are, given their tokens: *nats is the sum of -ln of the
 * density of all their values.  The codec was made with CODEC_SCORE, and dvae_codec_scores is true. */
bool dvae_codec_score(dvae_codec *codec, const int32_t *tokens, const uint8_t *real, int64_t count,
                      uint8_t *pixels, double *nats, error *err);
bool dvae_codec_scores(const dvae_config *c);
/* So many nats of so many pictures, and of their tokens if all codes cost the same, as bits a pixel value: a
 * value is one of 256, (1 - 2 epsilon) / 255 apart where the density is. */
typedef struct dvae_bits {
    double pixels, tokens; /* of the pixels given the tokens; of the tokens */
} dvae_bits;
dvae_bits dvae_codec_bits(const dvae_config *c, double nats, int64_t pictures);

/* How a set of tokens uses the codebook. */
typedef struct code_usage {
    int64_t codes, used;
    double entropy; /* bits a token */
} code_usage;
typedef struct code_counter code_counter;
code_counter *code_counter_create(int64_t codes, error *err);
void code_counter_destroy(code_counter *c);
void code_counter_add(code_counter *c, const int32_t *tokens, int64_t count);
code_usage code_counter_usage(const code_counter *c);
void code_counter_clear(code_counter *c);
/* Of how many codes the use, as a multiple of an even share, is: 0; below 1/16; from 1/16, 1/8, 1/4, 1/2,
 * 1, 2, 4 and 8 to the double; 16 and above. */
enum { CODE_CLASSES = 11 };
void code_counter_classes(const code_counter *c, double classes[CODE_CLASSES]);
/* As JSON, [[code, count], ...], and back: a resumed run goes on counting. */
json_t *code_counter_save(const code_counter *c);
bool code_counter_load(code_counter *c, const json_t *state, error *err);

/* Peak signal-to-noise ratio in dB of a mean squared error over values in 0..1. */
double psnr_of(double mean_squared_error);

#endif

/* decoder_data.h -- what the decoder's training shows: pictures with their embeddings and captions, of which
 * some are left out, and the same of validation pictures.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_DECODER_DATA_H
#define DALLE_CL_MODELS_DECODER_DECODER_DATA_H

#include "models/data.h"
#include "models/decoder/decoder_values.h"
#include "models/unclip/clip_source.h"

typedef struct decoder_data {
    const decoder_config *config; /* borrowed, as what follows */
    decoder_shape shape;
    training_data *set;
    clip_source *clip;
    clip_states *states; /* its own; NULL: a text encoder of the decoder's reads captions */
    const text_source *text;
    text_batch batch;
    decoder_values values; /* of the step's batch, and its pictures [B][S][S][3] */
    uint8_t *pixels;
    decoder_values none;  /* a row without a caption */
    decoder_values check; /* of validation pictures */
    uint8_t *check_pixels;
} decoder_data;

/* Pictures are read at the CLIP's size where that is larger than the decoder's, which then sees the same part
 * of each, made smaller.  Says that size, and fills in views that batches shall hold; how many. */
int decoder_data_views(const decoder_config *c, const clip_source *clip, int64_t *size,
                       loader_view views[LOADER_VIEWS]);
bool decoder_data_make(decoder_data *d, const decoder_config *c, const decoder_shape *shape,
                       training_data *set, clip_source *clip, const text_source *text, error *err);
void decoder_data_free(decoder_data *d);

/* The batch of a step. */
bool decoder_data_fill(decoder_data *d, const loader_batch *b, int64_t step, error *err);
/* Reads the validation pictures, up to `most` of them, unless they are there. */
bool decoder_data_validation(decoder_data *d, int64_t most, error *err);
/* What is known of the validation pictures in another pass over them. */
bool decoder_data_validation_masks(decoder_data *d, int64_t pass, error *err);

#endif

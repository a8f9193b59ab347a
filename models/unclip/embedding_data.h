/* embedding_data.h -- what either prior learns: embeddings of pictures, captions' tokens, and
 * captions' embeddings, of the training batches and of the validation part.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_EMBEDDING_DATA_H
#define DALLE_CL_MODELS_UNCLIP_EMBEDDING_DATA_H

#include "models/unclip/clip_source.h"

typedef struct embedding_data {
    training_data *data; /* borrowed */
    clip_source *clip;
    text_source *text;
    text_batch batch; /* its ids are the batch's tokens, [B,T] */
    int64_t size;     /* E */
    int64_t tokens;   /* T */
    float *all;       /* of every picture of the set, where they look alike in every epoch; or NULL */
    bool *readable;   /* of each of these, whether it could be read */
    float *embeddings, *captions; /* of the batch: [B,E] each; 0 for a caption that is left out */
    /* Of the validation part: [count,E] twice, [count,T]; NULL before they are asked for */
    int64_t count;
    float *pictures, *texts;
    int32_t *ids;
} embedding_data;

/* After the set is open, and `clip`, which stays the caller's to close: pictures that look alike in every
 * epoch are embedded now, and batches hold none. */
bool embedding_data_open(embedding_data *d, training_data *data, clip_source *clip, bool fixed, error *err);
/* With the text open: room for batches. */
bool embedding_data_make(embedding_data *d, text_source *text, int64_t batch, error *err);
void embedding_data_close(embedding_data *d);

/* Fills embeddings, captions and tokens of the step. */
bool embedding_data_fill(embedding_data *d, const loader_batch *b, int64_t step, error *err);
/* Makes ready those of the validation part, up to TRAINER_VALIDATED. */
bool embedding_data_validation(embedding_data *d, error *err);
/* Embeddings of training pictures and of their first captions, [count][E] each, of `most` of them spread over
 * the part, or of all; to be freed. */
bool embedding_data_training(embedding_data *d, int64_t most, float **pictures, float **texts, int64_t *count,
                             error *err);
/* Mean and deviation of each number of the training pictures' embeddings, [E] each, by 2048
 * of them, or all. */
bool embedding_data_statistics(embedding_data *d, float *mean, float *deviation, error *err);

#endif

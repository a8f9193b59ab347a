/* diffusion_prior_data.h -- what a diffusion prior learns: embeddings of pictures, captions' tokens, and
 * captions' embeddings, of the training batches and of the validation part.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_DATA_H
#define DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_DATA_H

#include "models/unclip/clip_source.h"

typedef struct diffusion_prior_data {
    training_data *data; /* borrowed */
    clip_source *clip;
    text_source *text;
    text_batch batch; /* its ids are the batch's tokens, [B,T] */
    int64_t size;     /* E */
    int64_t tokens;   /* T */
    float *all;       /* of every picture of the set, where they look alike in every epoch; or NULL */
    float *embeddings, *captions; /* of the batch: [B,E] each; 0 for a caption that is left out */
    /* Of the validation part: [count,E] twice, [count,T]; NULL before they are asked for */
    int64_t count;
    float *pictures, *texts;
    int32_t *ids;
} diffusion_prior_data;

/* After the set is open, and `clip`, which stays the caller's to close: pictures that look alike in every
 * epoch are embedded now, and batches hold none. */
bool diffusion_prior_data_open(diffusion_prior_data *d, training_data *data, clip_source *clip, bool fixed,
                               error *err);
/* With the text open: room for batches. */
bool diffusion_prior_data_make(diffusion_prior_data *d, text_source *text, int64_t batch, error *err);
void diffusion_prior_data_close(diffusion_prior_data *d);

/* Fills embeddings, captions and tokens of the step. */
bool diffusion_prior_data_fill(diffusion_prior_data *d, const loader_batch *b, int64_t step, error *err);
/* Makes ready those of the validation part, up to TRAINER_VALIDATED. */
bool diffusion_prior_data_validation(diffusion_prior_data *d, error *err);
/* Mean and deviation of each number of the training pictures' embeddings, [E] each, by 2048 of them, or
 * all. */
bool diffusion_prior_data_statistics(diffusion_prior_data *d, float *mean, float *deviation, error *err);

#endif

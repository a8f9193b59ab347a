/* embedding_check.h -- how right the embeddings are that a prior draws for the validation part's captions.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UNCLIP_EMBEDDING_CHECK_H
#define DALLE_CL_MODELS_UNCLIP_EMBEDDING_CHECK_H

#include "models/unclip/embedding_data.h"

/* Draws embeddings [count][E] for the first validation captions. */
typedef bool embedding_drawing(void *self, int64_t count, float *out, error *err);

/* The cosine of two embeddings of length 1. */
double embedding_cosine(const float *a, const float *b, int64_t size);
/* Of the first 128: how near drawn embeddings are to their pictures', and the share of those to which no
 * other picture of the part is nearer.  The validation part must be ready. */
bool embedding_check(const embedding_data *d, embedding_drawing *draw, void *self, double *near,
                     double *found, error *err);
/* For a grid: under each of the first pictures [count][side][side][3], in `made`, the one that is nearest to
 * what its caption draws. */
bool embedding_check_show(embedding_data *d, embedding_drawing *draw, void *self, const uint8_t *real,
                          int64_t count, uint8_t *made, error *err);

#endif

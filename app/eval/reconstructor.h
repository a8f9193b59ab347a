/* reconstructor.h -- a dVAE's decoder at work with all that it says of a picture: the pixels, and the
 * statistics of the density that they are the middle of.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_RECONSTRUCTOR_H
#define DALLE_CL_EVAL_RECONSTRUCTOR_H

#include "models/dvae/dvae_part.h"

typedef struct reconstructor reconstructor;

/* Over the part's parameters, `batch` pictures at a time; the part must outlive it. */
reconstructor *reconstructor_create(const dvae_part *p, int64_t batch, error *err);
void reconstructor_destroy(reconstructor *r); /* NULL is harmless */
/* Tokens [count][side][side], at most a batch, -> pixels [count][size][size][3], rounded as pictures are
 * written, and stats [count][size][size][6], three mu and three ln b; NULL: not wanted. */
bool reconstructor_run(reconstructor *r, const int32_t *tokens, int64_t count, uint8_t *pixels, float *stats,
                       error *err);

#endif

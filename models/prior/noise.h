/* noise.h -- image tokens as a prior's training reads them: some replaced, so that captions matter.
 * With the true tokens before it a token is often known without the caption, and the loss hides a model that
 * knows pictures from their first rows alone; where those rows cannot be trusted, the caption must be read.
 * (ours; 2102.12092 feeds the true tokens)
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_NOISE_H
#define DALLE_CL_MODELS_PRIOR_NOISE_H

#include "models/prior/prior.h"

/* image [batch][N] -> read [batch][N]: half of the pictures as they are, in each other a share of the
 * tokens, drawn from 0 to c->token_noise, replaced by codes drawn evenly.  By (seed, step, position in the
 * batch).  Of a job of ranks [batch] is this one's share. */
void prior_noise(const prior_config *c, const prior_shape *shape, int64_t step, const int32_t *image,
                 int32_t *read);

#endif

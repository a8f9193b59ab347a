/* start.h -- initial image embeddings that know which codes look alike.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_START_H
#define DALLE_CL_MODELS_PRIOR_START_H

#include "models/parts.h"

/* Writes image_embedding and, if it is there, image_logits.weight of `prior`: each row is the code's
 * vector in the dVAE, standardised, times one random matrix, of deviation 0.05, plus a little noise. */
bool prior_start_from_codebook(store *prior, const prior_config *c, const dvae_part *dvae, error *err);

#endif

/* start.h -- starting values of a diffusion prior's parameters other than at random: those of a model that
 * was trained before (--init).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DIFFUSION_PRIOR_START_H
#define DALLE_CL_MODELS_DIFFUSION_PRIOR_START_H

#include "models/parts.h"

/* Takes the model's parameters, and the statistics of its embeddings if it has them: it must have read as
 * many tokens of as large a vocabulary, and embeddings of as many numbers. */
bool diffusion_prior_start_from_model(store *prior, const part_files *files, error *err);

#endif

/* diffusion_prior_train.h -- trains a diffusion prior on a CLIP's embeddings of pictures and their captions,
 * as a run (host/train/train.h).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_TRAIN_H
#define DALLE_CL_MODELS_DIFFUSION_PRIOR_DIFFUSION_PRIOR_TRAIN_H

#include "models/request.h"

bool diffusion_prior_train(const train_request *r, error *err);

#endif

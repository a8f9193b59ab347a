/* ar_prior_train.h -- trains an autoregressive prior on the CLIP embeddings of pictures and their captions, as
 * a run (host/train/train.h).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_TRAIN_H
#define DALLE_CL_MODELS_AR_PRIOR_AR_PRIOR_TRAIN_H

#include "models/request.h"

bool ar_prior_train(const train_request *r, error *err);

#endif

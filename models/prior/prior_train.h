/* prior_train.h -- trains a prior on a dVAE's tokens: the paper's second stage, as a run
 * (host/train/train.h).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_TRAIN_H
#define DALLE_CL_MODELS_PRIOR_TRAIN_H

#include "models/request.h"

bool prior_train(const train_request *r, error *err);

#endif

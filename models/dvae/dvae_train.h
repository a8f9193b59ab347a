/* dvae_train.h -- trains a dVAE: the paper's first stage, as a run (host/train/train.h).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DVAE_TRAIN_H
#define DALLE_CL_MODELS_DVAE_TRAIN_H

#include "models/request.h"

bool dvae_train(const train_request *r, error *err);

#endif

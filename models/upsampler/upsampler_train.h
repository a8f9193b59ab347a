/* upsampler_train.h -- trains an upsampler, as a run (host/train/train.h).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_UPSAMPLER_TRAIN_H
#define DALLE_CL_MODELS_UPSAMPLER_TRAIN_H

#include "models/request.h"

bool upsampler_train(const train_request *r, error *err);

#endif

/* clip_train.h -- trains a CLIP on pictures and their captions, as a run (host/train/train.h).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_CLIP_TRAIN_H
#define DALLE_CL_MODELS_CLIP_CLIP_TRAIN_H

#include "models/request.h"

bool clip_train(const train_request *r, error *err);

#endif

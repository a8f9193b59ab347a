/* decoder_train.h -- trains a decoder on pictures, their CLIP embeddings and captions, as a run
 * (host/train/train.h).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_DECODER_TRAIN_H
#define DALLE_CL_MODELS_DECODER_DECODER_TRAIN_H

#include "models/request.h"

bool decoder_train(const train_request *r, error *err);

#endif

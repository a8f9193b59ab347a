/* decoder_workload.h -- the decoder's training step and drawing on made-up pictures, embeddings and captions:
 * workload.h.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_DECODER_WORKLOAD_H
#define DALLE_CL_MODELS_DECODER_DECODER_WORKLOAD_H

#include "models/decoder/decoder.h"
#include "models/workload.h"

workload *decoder_workload(device *d, const decoder_config *c, const decoder_shape *shape, error *err);
/* Of one picture, in the settings' steps, with the layers' matrices stored as `type`. */
workload *decoder_workload_drawing(device *d, const decoder_config *c, const decoder_shape *shape, dtype type,
                                   error *err);

#endif

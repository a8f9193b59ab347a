/* start.h -- starting values of a decoder's parameters other than at random: those of a model that was
 * trained before (--init).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_DECODER_START_H
#define DALLE_CL_MODELS_DECODER_START_H

#include "models/parts.h"

/* Takes the model's parameters.  Input channels that it has not, as those of inpainting, start at zero
 * (arXiv 2112.10741, 2.3). */
bool decoder_start_from_model(store *decoder, const part_files *files, error *err);

#endif

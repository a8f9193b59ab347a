/* start.h -- starting values of a CLIP's parameters other than at random: those of a model that was trained
 * before (--init).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_CLIP_START_H
#define DALLE_CL_MODELS_CLIP_START_H

#include "models/parts.h"

/* How many text positions the model has. */
bool clip_start_positions(const part_files *files, int64_t *positions, error *err);
/* Takes the model's parameters.  Its tokenizer's pieces come first in `grown`; a piece that it lacks starts
 * as the mean of those that spell it, a further text position as the last one. */
bool clip_start_from_model(store *clip, const part_files *files, const tokenizer *grown, error *err);

#endif

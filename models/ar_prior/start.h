/* start.h -- starting values of an autoregressive prior other than at random: those of a model that was
 * trained before (--init).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_AR_PRIOR_START_H
#define DALLE_CL_MODELS_AR_PRIOR_START_H

#include "models/clip/clip_part.h"

/* Takes the model's parameters, components and buckets.  It must have been trained with this CLIP, which was
 * opened from `clip_folder`; `folder` is the model's, for errors. */
bool ar_prior_start_from_model(store *s, const part_files *files, const clip_part *clip,
                               const char *clip_folder, const char *folder, error *err);

#endif

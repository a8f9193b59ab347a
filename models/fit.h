/* fit.h -- settings that a preset leaves to the data set: chosen before a run starts and written into its
 * settings, so that a resumed run, and whoever reads them, finds what was chosen.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_FIT_H
#define DALLE_CL_MODELS_FIT_H

#include "models/training.h"

/* Replaces each 0 or -1 that means "by the set" (training.def says which) for a set of so many pictures:
 * `base` steps for 500 of them, at least `least`, so many sample grids; returns whether the number of steps
 * was among them. */
bool fit_training(training_config *c, int64_t base, int64_t least, int64_t grids, int64_t pictures);
/* Text positions for captions of up to so many tokens. */
int64_t fit_text_tokens(int64_t longest);

/* A time for people: "40 seconds", "7 minutes", "3 hours". */
void fit_duration(double seconds, char text[32]);

#endif

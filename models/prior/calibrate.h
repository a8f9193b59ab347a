/* calibrate.h -- what a packed model's drawings of captions that it knows look like to itself, so that it can
 * say of another caption that it is unsure.
 *
 * Captions that were kept aside (of the training part, where none were or too few come out right) are
 * drawn with the model's own settings. A drawing is right if no other of up to 5,000 pictures of the set
 * is nearer to it than its own. The limit is the 95 % quantile of the mean entropy of the right ones'
 * tokens, in nats; where hardly any is right, as with photographs, that of all. So about one right drawing
 * in twenty is above it. Beside a part that compares pictures with captions (a CLIP) four are drawn, as
 * `generate` ranks several, captions of the training part, too, and there is a second limit: how sure the
 * CLIP is of the best of them at least (known.h), again with one right caption in twenty, of either part,
 * beyond it. And the captions of the training part are kept (known.h), for `generate` to find some near
 * what it is asked for.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_PRIOR_CALIBRATE_H
#define DALLE_CL_MODELS_PRIOR_CALIBRATE_H

#include "models/kinds.h"

/* The data set that a prior's run (or a checkpoint file in its folder) was trained on, to be freed.  NULL
 * with an error that says why there is none: not recorded, or no longer there. */
char *calibrate_recorded_data(const char *prior_run, error *err);

/* Draws up to `captions` captions of each part of the data set with the packed model in `folder`, and writes
 * the limits into its prior.cfg as `entropy_known` and `sureness_known`. */
bool calibrate_model(device *d, const char *folder, const char *data, int64_t captions, calibration *out,
                     error *err);

#endif

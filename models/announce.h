/* announce.h -- says before a run starts how long it will take.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_ANNOUNCE_H
#define DALLE_CL_MODELS_ANNOUNCE_H

#include "models/workload.h"

/* Runs a few steps of the workload, which is made for this and destroyed here, and says how many pictures
 * and steps of so many there are, with the time that they will take on its device, and if that is long what
 * can be done.  `beside` (may be NULL) is said after the pictures, "512 codes".  A NULL workload is the
 * failure that `err` already tells. */
bool announce_run(workload *w, int64_t pictures, const char *beside, int64_t steps, int64_t batch,
                  error *err);

#endif

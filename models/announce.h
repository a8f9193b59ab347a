/* announce.h -- says before a run starts how long it will take.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_ANNOUNCE_H
#define DALLE_CL_MODELS_ANNOUNCE_H

#include "models/workload.h"

/* Runs a few steps of the workload, which is made for this and destroyed here, and says `what` ("30 pictures,
 * 588 steps") with the time that so many will take on its device, and if that is long what can be done.  A
 * NULL workload is the failure that `err` already tells. */
bool announce_run(workload *w, int64_t steps, const char *what, error *err);

#endif

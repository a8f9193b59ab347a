/* meter.h -- the line on the terminal that says how far a drawing is.  Each function is one of dalle.h's
 * progress functions, with a meter as its context, and stops the work when the user has interrupted it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_METER_H
#define DALLE_CL_CLI_METER_H

#include "app/api/dalle.h"

typedef struct meter {
    bool wanted; /* otherwise nothing is said */
    bool shown;  /* a line stands on the terminal */
    int before;  /* tokens done when it started: kernels may have been built until then */
    double started, share_before;
} meter;

/* Wanted where standard error is a terminal and nobody asked for quiet. */
meter meter_make(bool quiet);
bool meter_tokens(void *m, int done, int total);
bool meter_judging(void *m, int done, int total);
bool meter_stage(void *m, const dalle_stage *stage);
void meter_clear(const meter *m); /* the line goes */

#endif

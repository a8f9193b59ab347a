/* watch.h -- a run as text for a terminal: one line, or a frame of lines with bars and small curves, in
 * UTF-8 or in ASCII.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_REPORT_WATCH_H
#define DALLE_CL_REPORT_WATCH_H

#include "app/report/record.h"
#include <stdio.h>

typedef struct watch_look {
    int width; /* columns */
    bool utf8;
} watch_look;

/* Whether the environment's locale takes UTF-8; the process's own stays as it is. */
bool watch_utf8(void);

/* "step 750/2400  loss 0.0246  ...  3.0 steps/s  9:08 left  waited for data 0%" */
void watch_line(FILE *out, const record *r);
/* The same as an object on a line: {"step":750,"steps":2400,"state":"training",...}. */
bool watch_json(FILE *out, const record *r, error *err);
/* Some ten lines, none wider than the look allows; how many. */
int watch_frame(FILE *out, const record *r, const watch_look *look);

/* The last values of a curve as `cells` marks, high and low, each the mean of a stretch; to be freed. */
char *watch_curve(const series *s, int cells, bool utf8);

#endif

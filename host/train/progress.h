/* progress.h -- says on standard error how a run goes: on a terminal one line that is rewritten, with
 * figures, rate and time left; elsewhere a plain line for every report.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_PROGRESS_H
#define DALLE_CL_TRAIN_PROGRESS_H

#include "host/train/train.h"

typedef struct progress {
    bool quiet, terminal;
    bool open;            /* a rewritten line stands on the terminal */
    int64_t first, total; /* steps done when the rate's clock started; steps in all */
    double started;       /* monotonic seconds: this process's training */
    double clock, shown;  /* the rate's clock; the last report */
} progress;

progress progress_start(bool quiet, int64_t first, int64_t total);
/* The first step of a process also builds kernels: the rate counts from its end. */
void progress_first_step(progress *p, int64_t done);
/* After `done` steps.  On a terminal it is shown a few times a second at most.  `waited`: the share of time
 * that the device had to wait for data, which is shown where it matters. */
void progress_report(progress *p, int64_t done, const train_metrics *m, int64_t skipped, double waited);
/* A line that stays, above the progress line. */
void progress_line(progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void progress_end(progress *p); /* leaves the last line standing */

/* "1:02:03", "2:03": to be shown as a time left. */
void progress_duration(double seconds, char text[32]);

#endif

/* times.h -- where a run's time goes, and times.jsonl, which says so.
 * What metrics.jsonl holds is the same in every repetition of a run; what is measured with a clock is not,
 * and stands here (docs/metrics.md).  The file is only ever added to: a process that trains begins with a
 * "start" line and ends with an "end" line, unless it is killed.
 * The parts add up to the time that passed.  "data" is the time that the device had nothing to do because the
 * next batch was not there; that the host waited for a batch while the device was still at the step before
 * costs nothing and is not counted.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_TIMES_H
#define DALLE_CL_TRAIN_TIMES_H

#include "host/base/error.h"
#include <jansson.h>
#include <stdint.h>

#define TIMES_FORMAT 1 /* of both files: fields and kinds of line are added, none changes or goes */

#define TIMES_PARTS(X) \
    X(DEVICE, device) \
    X(DATA, data) \
    X(VALIDATE, validate) \
    X(SAMPLE, sample) \
    X(SAVE, save) \
    X(OTHER, other)

typedef enum times_part {
#define TIMES_ENUM(name, key) TIMES_##name,
    TIMES_PARTS(TIMES_ENUM)
#undef TIMES_ENUM
        TIMES_COUNT
} times_part;

/* What a task tells of its batches, counted from the start of the process. */
typedef struct times_feed {
    double waited;    /* seconds that taking batches made the host wait */
    int64_t skipped;  /* pictures passed over because they could not be read */
    int64_t pictures; /* that a step takes; 0: not known */
} times_feed;

typedef struct times {
    double part[TIMES_COUNT]; /* seconds since the last line */
    double at;                /* until when they are counted */
    times_part now;
    int64_t steps;        /* ended since the last line */
    int open;             /* steps that have begun and not ended: two at most */
    double began, waited; /* of the last begun: when, and what its feed had waited before */
    double handed[2];     /* when the last begun was all given to the device, and the one before */
    double ended;         /* when the figures of the last one came */
    double shortest;      /* step of the device that was seen from beginning to end; 0: none */
    double late;          /* for which the host waited for the batch of the step last begun */
    double idle;          /* of the device before that step, as far as is known */
    int file;             /* -1: none */
    char *path;
} times;

/* The clock begins.  Opens RUN/times.jsonl; what a killed process left of a line is ended. */
bool times_open(times *t, const char *folder, error *err);
void times_close(times *t);

/* From now on time is that part's. */
void times_enter(times *t, times_part part);
/* Around the task's begin of a step; `feed` may be NULL. */
void times_begin(times *t, const times_feed *feed);
void times_begun(times *t, const times_feed *feed);
/* When the figures of the oldest step that has not ended have come; the host asked for them at `asked`. */
void times_ended(times *t, double asked);

/* The share of time since the last line for which the device waited for data. */
double times_share(const times *t);
double times_rate(const times *t); /* steps a second since the last line */

/* Lines.  `origin`, borrowed, says what the process is, as in run.json. */
bool times_write_start(times *t, int64_t step, json_t *origin, error *err);
bool times_write(times *t, int64_t step, const times_feed *feed, error *err); /* a new line's time begins */
bool times_write_end(times *t, int64_t step, const char *why, error *err);

#endif

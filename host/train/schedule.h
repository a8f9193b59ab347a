/* schedule.h -- functions of the step: warm-up, cosine, halving on plateaus.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_SCHEDULE_H
#define DALLE_CL_TRAIN_SCHEDULE_H

#include "host/base/error.h"
#include <jansson.h>
#include <stdint.h>

/* from at step 0 to `to` at step `steps` along half a cosine, then `to` (A.2 of arXiv 2102.12092). */
double schedule_cosine(double from, double to, int64_t steps, int64_t step);
/* 0..1: (step + 1) / steps, then 1. */
double schedule_warmup(int64_t steps, int64_t step);

/* Halves a factor when a figure has not improved by `threshold` (relative) for `patience` evaluations,
 * at most `most` times (the paper: five halvings, to 1/32). */
typedef struct schedule_plateau {
    double threshold;
    int patience, most;
    double best; /* set by schedule_plateau_start */
    int waited, halvings;
} schedule_plateau;
void schedule_plateau_start(schedule_plateau *p);
double schedule_plateau_observe(schedule_plateau *p, double figure); /* the factor from now on */
double schedule_plateau_factor(const schedule_plateau *p);           /* the factor now: 1, 1/2, ... */

/* For train_task's save_state and load_state: a new object (NULL when memory is out), and back over a
 * started plateau, whose threshold, patience and most stay. */
json_t *schedule_plateau_save(const schedule_plateau *p);
bool schedule_plateau_load(schedule_plateau *p, const json_t *state, error *err);

#endif

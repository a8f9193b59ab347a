/* run.h -- the folder of a run: who may train in it, what it was trained with, its metric lines.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_RUN_H
#define DALLE_CL_TRAIN_RUN_H

#include "host/train/train.h"

typedef struct run {
    const char *folder;                                          /* borrowed */
    char *config, *info, *metrics, *checkpoint, *best, *samples; /* paths */
    int lock;   /* descriptor of the locked folder; a second process is refused */
    int lines;  /* descriptor of metrics.jsonl, -1 until run_metrics_open */
    bool fresh; /* no checkpoint to load */
} run;

/* Opens the folder for a new run (making it), or for resuming: then compares device, driver, kernels,
 * provenance and settings with those recorded, and refuses with a list of what differs unless `force`. */
bool run_open(run *r, const train_task *task, const train_options *options, error *err);
void run_close(run *r);
/* Before anything else is done: is there a run to resume, or room for a new one? */
bool run_check(const char *folder, bool resume, error *err);

/* Opens metrics.jsonl for appending, first cutting what comes after `step` steps. */
bool run_metrics_open(run *r, int64_t step, error *err);
/* Writes one line; it is in the file, though not on the disk, on return. */
bool run_metrics_write(run *r, const char *line, error *err);
/* On the disk, so that a checkpoint never knows more than the metrics. */
bool run_metrics_sync(run *r, error *err);

/* {"step":3,"loss":0.1}, or with a kind {"step":3,"kind":"eval",...}; values that are not finite are null.
 * To be freed; NULL when memory is out. */
char *run_metrics_line(const char *kind, int64_t step, const train_metrics *m);

#endif

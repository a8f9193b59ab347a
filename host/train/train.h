/* train.h -- the training loop, which does not know which model it trains.
 *
 * A run is a folder:
 *   config.cfg              every setting, as resolved
 *   run.json                device, driver, kernel hash, program version, data: what --resume compares
 *   metrics.jsonl           one JSON object a logged step, "eval" objects among them (docs/metrics.md)
 *   times.jsonl             where the time went, of which no two runs have the same
 *   tensorboard/            the same for TensorBoard, if asked for
 *   samples/                PNG grids, step-000500.png
 *   checkpoint.safetensors  the latest: parameters, moments, averages, model state, host state
 *   checkpoint-000500.safetensors   those before it, as many as are kept (rotate.h)
 *   skipped.txt             key and reason of pictures that could not be read, if any (models/data.c)
 *   best.safetensors        the checkpoint with the lowest validation figure, if the task evaluates
 * Everything is written to a temporary name and renamed.  Killed at any instant, and after a loss of power, a
 * run resumes from its last whole checkpoint: later metric lines are cut, and every later parameter and
 * metric equals the uninterrupted run's bit for bit on the same device.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_TRAIN_H
#define DALLE_CL_TRAIN_TRAIN_H

#include "host/comm/comm.h"
#include "host/graph/store.h"
#include "host/train/times.h"
#include <jansson.h>
#include <signal.h>

/* Named figures of a step or an evaluation, in the order in which they are to be shown. */
typedef struct train_metric {
    const char *name; /* static: "loss", "psnr", "codes" */
    double value;
    const char *format; /* for the progress line: "%.4f"; NULL = only in metrics.jsonl */
} train_metric;
#define TRAIN_METRICS_MAX 24
#define TRAIN_LIST_MAX    16
typedef struct train_metrics {
    int count;
    train_metric at[TRAIN_METRICS_MAX];
    const char *list; /* the name of several values, as of a histogram; NULL: none */
    int listed;
    double values[TRAIN_LIST_MAX];
    bool finite;  /* false: the step's update was skipped on the device */
    double scale; /* what the loss was multiplied by, which halves where a step is skipped; 0: nothing */
} train_metrics;
void train_metrics_add(train_metrics *m, const char *name, double value, const char *format);
void train_metrics_list(train_metrics *m, const char *name, const double *values, int count);
void train_metrics_text(const train_metrics *m, char *text, size_t room); /* "loss 1.5, text 2" */

/* What a model gives the loop.  `self` is passed back.  Functions return false with *err filled in. */
typedef struct train_task {
    const char *kind; /* "dvae", "prior" */
    void *self;
    store *store;
    /* Takes the batch of step `step` (from 0), writes inputs and schedules, enqueues the step and the
     * reading of its figures (graph_read_begin); does not wait. */
    bool (*begin)(void *self, int64_t step, error *err);
    /* Gives the figures of step `step`, which the device may still be at.  Steps end in the order in which
     * they began, each after the next has begun, so that the device never waits for the host; but before
     * anything below is called, all have ended. */
    bool (*end)(void *self, int64_t step, train_metrics *out, error *err);
    /* Validation figures after `step` steps; at[0] is the one to minimise.  NULL: none. */
    bool (*evaluate)(void *self, int64_t step, train_metrics *out, error *err);
    /* Draws a sample grid into the PNG `path`.  NULL: none. */
    bool (*draw)(void *self, int64_t step, const char *path, error *err);
    /* Host state that must survive a restart (plateau counters): a new object; and back.  May be NULL. */
    json_t *(*save_state)(void *self);
    bool (*load_state)(void *self, const json_t *state, error *err);
    /* Warns about something in the figures (codebook collapse): text in the task's memory, or NULL. */
    const char *(*warn)(void *self, const train_metrics *m);
    const times_feed *feed; /* kept up to date while `begin` takes batches; NULL: there are none */
} train_task;

/* How far a run is, for what an interruption costs. */
typedef enum train_stage {
    TRAIN_OPENED, /* the folder holds all that --resume needs, and no step of this process's */
    TRAIN_STEPPED /* a step is done that is not saved */
} train_stage;

typedef struct train_options {
    comm *comm; /* the ranks that train together: rank 0 alone opens the folder; NULL: one */
    const char *folder;
    bool resume;
    bool force; /* resume although device, driver, kernels or settings differ; or overwrite nothing else */
    const char *config_text; /* the resolved configuration, stored and compared on resume */
    const char
        *config_defaults; /* what a setting was in a run older than it; NULL: a new one is a difference */
    const char *const *may_change; /* NULL-terminated: settings that leave the results as they are, so that a
                                    * resumed run may have others, which are kept; NULL: none */
    json_t *provenance;            /* borrowed: extra fields for run.json (data path and hash, dvae hash) */
    json_t *about;                 /* borrowed: more for run.json, which --resume does not compare */
    int64_t steps;                 /* total */
    int64_t log_every, save_every, eval_every, sample_every; /* steps; 0 = never (the end always saves) */
    int64_t keep;           /* checkpoints, with the newest and without the best; less than 1 is 1 */
    int64_t stop_after_bad; /* that many skipped steps in a row end the run with ERROR_DIVERGED */
    int64_t patience;       /* evaluations without a better figure that end the run; 0 = never */
    double minutes;         /* stop and save after that long; 0 = no limit */
    bool quiet;
    bool tensorboard; /* write event files, too */
    bool json;        /* print metric lines on standard output, as in metrics.jsonl, instead of progress */
    const char
        *resume_command; /* how to go on, for messages; NULL: "dalle-cl train KIND --run FOLDER --resume" */
    const volatile sig_atomic_t *interrupted; /* set by the caller's signal handler; NULL: never */
    void (*reached)(train_stage stage);       /* called once for each; NULL: nobody wants to know */
} train_options;

/* Refuses a folder that already holds a run unless `resume`; with `resume`, restores the store, the
 * host state and the metrics, and goes on; a run killed before its first checkpoint starts again from
 * what the store holds.  The store must be allocated (graph compiled) and hold the starting values.
 * Saves at the start, every save_every steps, and at the end.  Ends after `steps`, or when `patience` or
 * `minutes` are used up; on interruption saves and returns false with ERROR_INTERRUPTED and how to go on.
 * Metric lines hold no times, so that those of a resumed run are the uninterrupted run's byte for byte. */
bool train_run(const train_task *task, const train_options *options, error *err);

#endif

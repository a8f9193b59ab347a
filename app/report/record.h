/* record.h -- what a run's folder tells of it: metrics.jsonl and times.jsonl as series of numbers, settings,
 * origin, sample grids.  Files of older programs are read as far as they go; lines that are no JSON are
 * counted and passed over.  A run that is still going on is read again from where it was (record_update).
 * Names: record_, series_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_REPORT_RECORD_H
#define DALLE_CL_REPORT_RECORD_H

#include "host/base/error.h"
#include "host/train/times.h"
#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum record_kind { RECORD_TRAIN, RECORD_VALIDATION, RECORD_TIME } record_kind;

/* One figure of a run over its steps; what was not finite is NAN. */
typedef struct series {
    char *name;
    record_kind kind;
    int64_t count, room;
    double *step, *value;
} series;

/* The last finite value, NAN where there is none. */
double series_last(const series *s);
/* The mean of the last `count` finite values. */
double series_recent(const series *s, int64_t count);

/* How many codes of the codebook are used how much, at a validation (docs/metrics.md: code_usage). */
enum { RECORD_USAGE_MOST = 16 };
typedef struct record_usage {
    double step;
    int count;
    double of[RECORD_USAGE_MOST];
} record_usage;

/* A sample grid: samples/step-000500.png */
typedef struct record_sample {
    int64_t step;
    char *path;
    int64_t bytes;
} record_sample;

/* One of the two files, as far as it has been read. */
typedef struct record_file {
    char *path;
    off_t read;
    bool there;
    int64_t lines, broken; /* whole lines; those that are no JSON object with a step */
    int64_t first_broken;  /* its number, from 1 */
} record_file;

typedef enum record_state {
    RECORD_UNKNOWN,    /* an older program wrote it, or another machine */
    RECORD_RUNNING,    /* its process is there */
    RECORD_ENDED,      /* `why` says how */
    RECORD_INTERRUPTED /* its process is gone and has not said why */
} record_state;

typedef struct record {
    const char *folder; /* borrowed */
    record_file metrics, times;
    series *at;
    int count, room;
    record_usage *usage;
    int64_t usage_count, usage_room;
    record_sample *samples; /* by step */
    int64_t sample_count;
    json_t *info;        /* run.json; NULL: none that can be read */
    char *config;        /* config.cfg; NULL: none */
    char *problem;       /* of run.json or config.cfg, for people; NULL: none */
    char criterion[80];  /* the figure of a validation that a run minimises; "": none seen */
    int64_t step, steps; /* reached; in all, 0: not known */
    int64_t skipped_steps, skipped_pictures;
    double part[TIMES_COUNT];           /* seconds, of all steps that count */
    double lost;                        /* seconds of steps that an interruption took away */
    int64_t processes;                  /* that trained it; 0: no times.jsonl */
    char why[32], began[32], ended[32]; /* how the last process ended; when the first began, the last ended */
    char host[80];                      /* of the last process */
    int64_t pid;
    record_state state;
} record;

/* `folder` is kept and must outlive it.  A folder that is no run's is an error. */
bool record_open(record *r, const char *folder, error *err);
void record_close(record *r);
/* Reads what has been added since; *news: whether anything has. */
bool record_update(record *r, bool *news, error *err);

const series *record_find(const record *r, record_kind kind, const char *name); /* or NULL */
/* The best of a validation's criterion and its step; false: there was none. */
bool record_best(const record *r, double *value, double *step);
/* "dvae", from run.json; "?" */
const char *record_model(const record *r);
/* A setting's text in config.cfg, `length` bytes of it; NULL: there is none. */
const char *record_setting(const record *r, const char *key, int *length);
double record_seconds(const record *r); /* in all, of `part` */

/* For record.c: what stands beside the two files. */
bool record_read_folder(record *r, error *err);
bool record_list_samples(record *r, error *err);
void record_forget_samples(record *r);
void record_look(record *r); /* settles `state` */

#endif

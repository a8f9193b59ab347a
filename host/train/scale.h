/* scale.h -- training on many ranks, on paper: what each of them holds and sends in a step, and how long
 * the step takes for given links.  Groups of `shards` ranks each hold every matrix once, split among
 * them; the groups are alike, and each rank sums its shards' gradients with those that have the same
 * place in the other groups, whole or as PowerSGD's two thin matrices (host/train/powersgd.h).
 * docs/scale.md has the reasons of each formula. Bytes that are sent are those of host/comm: of a sum of
 * b bytes over n ranks each sends 2 (n - 1) / n b, and of a gathering of parts of b bytes (n - 1) b.
 * Where a number does not divide evenly, they are the mean over the ranks.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_SCALE_H
#define DALLE_CL_TRAIN_SCALE_H

#include "host/base/dtype.h"
#include "host/base/error.h"

/* A trained parameter as a matrix of its first axis by all others, and the bytes that an element of it
 * takes. */
typedef struct scale_array {
    int64_t rows, columns; /* of a vector its elements and 1 */
    int64_t last;          /* of its last axis, which columns are split along; 0 of a vector */
    bool wide;             /* never compressed (store.h) */
    int block; /* those that are gathered together: they follow one another, and the number rises */
    int parameter, moments, average; /* both moments; 0: no average */
    int cast;                        /* of the copy that products read; 0: they read the parameter */
} scale_array;

/* A training step of one part of the batch, from its graph. */
typedef struct scale_step {
    scale_array *arrays;
    int count;
    double forward, backward;        /* operations of a part's products; what is computed again is backward */
    double once;                     /* and of those that run once a step, whatever the parts */
    int64_t input_bytes, work_bytes; /* of a part; gradients that have been added up are not among them */
    int64_t state_bytes;             /* what else the store holds */
} scale_step;

typedef struct scale_job {
    int64_t ranks, shards; /* which divides ranks; 1: every rank holds all */
    int64_t parts;         /* that a rank computes its share of the batch in */
    int64_t rank;          /* of PowerSGD, of a shard; 0: nothing is compressed */
    dtype compressed;      /* as which the thin matrices and errors are stored and sent */
} scale_job;

/* The number of ranks is one of whole groups, and some gradient is compressed if any is to be. */
bool scale_check(const scale_step *s, const scale_job *j, error *err);

/* ---- One array ---- */

/* A rank's shard: the larger of rows and columns is split, of equal ones the rows (axis 1 of the paper's
 * matrices, which stand the other way round, and axis 0 of the second of an MLP), if the number divides
 * it, or else the other; vectors, and what does not divide, every rank holds whole. */
typedef struct scale_shard {
    int64_t rows, columns;
    bool split;
} scale_shard;
scale_shard scale_shard_of(const scale_array *a, int64_t shards);
/* Whether its gradient is compressed: powersgd_takes of the shard; what a whole group holds alike is not. */
bool scale_compresses(const scale_job *j, const scale_array *a);

/* ---- A rank's memory, in bytes ---- */

typedef struct scale_memory {
    int64_t parameters, moments, averages, state;
    int64_t gradients; /* of what is not compressed, F32, as they are at the end of the backward pass */
    int64_t errors;    /* of what is: gradients are added to them */
    int64_t thin;      /* PowerSGD's Q */
    int64_t gathered;  /* the block at work and the next one, whole; and the copies that they come from */
    int64_t inputs;
    int64_t work; /* activations, or at the end P, R and gradients made of them, if these are more */
    int64_t total;
} scale_memory;
scale_memory scale_memory_of(const scale_step *s, const scale_job *j);

/* ---- What a rank sends in a step, in bytes ---- */

typedef struct scale_traffic {
    double gathered;  /* in its group: shards, before a part's forward and before its backward pass; */
    double scattered; /* gradients, F32, to who holds the shard, after a part's backward pass */
    double summed;    /* to other groups */
    double whole;     /* what that would be if nothing were compressed */
    double messages;  /* of what is summed, one after the other */
    double late, late_messages; /* of that and of these what is not begun before the last gradient is there */
} scale_traffic;
scale_traffic scale_traffic_of(const scale_step *s, const scale_job *j);
/* The share that compression saves of the numbers of all matrices that it takes: 1 - 5 r / 8 d in a
 * transformer of width d. */
double scale_saved(const scale_step *s, const scale_job *j);

/* ---- Operations, and time ---- */

/* What a rank computes in a step: its parts, what runs once, PowerSGD's products and reflections. */
double scale_flops(const scale_step *s, const scale_job *j);

typedef struct scale_links {
    double flops;   /* a second, of a rank's device */
    double inside;  /* bytes a second that a rank sends to others of its group, */
    double between; /* and that a whole group sends to the others */
    double latency; /* seconds that a message takes, whatever its size */
} scale_links;

typedef struct scale_time {
    double forward, backward; /* of a part, with what goes on in the group meanwhile */
    double once;              /* PowerSGD and what else runs once */
    double sums;              /* between groups, */
    double late;              /* and of these what begins after the last gradient */
    double hidden;            /* a step in which the others begin with the first gradients of the last part */
    double after;             /* a step in which all begin after its last */
} scale_time;
scale_time scale_time_of(const scale_step *s, const scale_job *j, const scale_links *l);
/* The slowest link between groups, bytes a second, at which sums take no longer than a backward pass;
 * INFINITY: at none, for the messages alone take longer. */
double scale_link_least(const scale_step *s, const scale_job *j, const scale_links *l);

#endif

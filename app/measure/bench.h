/* bench.h -- what can be timed: cases by name, each checked before it is timed.
 *   gemm:nn:MxNxK  gemm:nt:...  gemm:tn:...          C[M,N] = A B; B, or A, lies transposed
 *   conv:forward:BxHxWxC->N,kK  conv:data:...  conv:weights:...   both: +bias+relu+residual.. after it
 *   attention:forward|train:causal|row|column|conv|bidirectional:BxTEXT+SIDE^2,hHEADS,dSIZE
 *   op:NAME:SIZES                                    an operator's forward pass: op_timed in host/ops/cases/
 *   rows:MxNxK                                       a linear layer of M rows, as in decoding
 *   those of the kinds of model                      whole steps and drawings (bench_model.c)
 *   pictures:FORMAT:WxH->SIDE[,tTHREADS][,FILTER][,fast]   reading and resizing: a made jpeg, png or webp, or
 *   pictures:FOLDER->SIDE..                          the pictures of a folder
 *   start                                            a fresh process that draws one picture with the shipped
 *                                                    model
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MEASURE_BENCH_H
#define DALLE_CL_MEASURE_BENCH_H

#include "host/device/device.h"

typedef struct bench_options {
    device *device;       /* borrowed */
    dtype type;           /* of storage; models have their own */
    const char *provider; /* of matrix products; NULL: chosen */
    const char *model;    /* of "start" */
} bench_options;

typedef struct bench_case {
    void *self;
    bool (*run)(void *self, error *err); /* once, waited for */
    void (*close)(void *self);           /* takes NULL */
    double flops, bytes;                 /* of one run; 0: not told */
    int pictures;                        /* read in one run; 0: it is not about that */
    double wrong;         /* largest difference from the reference, relative; < 0: not of that kind */
    const char *provider; /* or "" */
    const char *storage;
} bench_case;

/* Opens and checks; a result that is wrong is an error.  False with ERROR_USAGE if the name is none. */
bool bench_open(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_product(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_op(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_start(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_pictures(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_model(bench_case *c, const char *name, const bench_options *o, error *err);

/* Names of the model cases, NULL-terminated. */
const char *const *bench_models(void);

/* The usual cases of a group, one by one: a name, in `text` or elsewhere, or NULL after the last. */
typedef enum bench_group {
    BENCH_PRODUCTS,
    BENCH_CONVOLUTIONS,
    BENCH_OPERATORS,
    BENCH_MODELS,
    BENCH_PICTURES,
    BENCH_GROUPS
} bench_group;
#define BENCH_NAME_SIZE 128
const char *bench_usual(bench_group group, int index, char text[BENCH_NAME_SIZE]);
/* Whether a case is another with another bench_options.type; the others have a storage of their own. */
bool bench_takes_storage(const char *name);
/* "add, argmax, ..": the operators that op: can name. */
void bench_operators(char *text, size_t size);

/* A made picture of that size, as "jpeg", "png" or "webp"; to be freed. */
bool bench_encode(const char *format, int width, int height, void **bytes, size_t *size, error *err);

/* ---- Timing ---------------------------------------------------------------------------------- */

typedef struct bench_timing {
    int runs;
    double median, low, high; /* seconds; low and high are the quartiles */
} bench_timing;
/* As many runs as fit into `seconds`, five at least. */
bool bench_time(const bench_case *c, double seconds, bench_timing *t, error *err);
/* So many runs, back to back. */
bool bench_time_runs(const bench_case *c, int runs, bench_timing *t, error *err);
/* What this process has had in memory at most, in bytes, without what it was started from. */
int64_t bench_peak_bytes(void);

#endif

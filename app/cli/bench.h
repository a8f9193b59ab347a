/* bench.h -- what `dalle-cl bench` can run: cases by name, each checked before it is timed.
 *   gemm:nn:MxNxK  gemm:nt:...  gemm:tn:...          C[M,N] = A B; B, or A, lies transposed
 *   conv:forward:BxHxWxC->N,kK  conv:data:...  conv:weights:...   both: +bias+relu+residual.. after it
 *   attention:forward|train:causal|row|column|conv|bidirectional:BxTEXT+SIDE^2,hHEADS,dSIZE
 *   op:gelu|softmax|layer_norm|add:ROWSxCOLUMNS      rows:MxNxK: a linear layer of M rows, as in decoding
 *   dvae:..., prior:..., sample:...                  whole steps and drawings (bench_model.c)
 *   start                                            a fresh process that draws one picture with the shipped model
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_BENCH_H
#define DALLE_CL_CLI_BENCH_H

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
    double wrong;         /* largest difference from the reference, relative; < 0: not of that kind */
    const char *provider; /* or "" */
    const char *storage;
} bench_case;

/* Opens and checks; a result that is wrong is an error.  False with ERROR_USAGE if the name is none. */
bool bench_open(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_product(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_op(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_start(bench_case *c, const char *name, const bench_options *o, error *err);
bool bench_open_model(bench_case *c, const char *name, const bench_options *o, error *err);

/* Names of the model cases, NULL-terminated. */
extern const char *const bench_models[];

#endif

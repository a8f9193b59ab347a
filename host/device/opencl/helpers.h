/* helpers.h -- processes that build kernels beside this one.
 *
 * PoCL 3.1 compiles under one lock for the whole process, whatever the context, so threads do not help and
 * processes do. A helper is the program that $DALLE_CL_HELPER names, started as `dalle-cl --build-kernels
 * DEVICE IDENTITY`.  Programs asked for stand in a queue that this process and its helpers take from; what a
 * helper built comes back as a binary.  A helper that dies, or fails, costs time and nothing else: the
 * program is then built here.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DEVICE_OPENCL_HELPERS_H
#define DALLE_CL_DEVICE_OPENCL_HELPERS_H

#include "host/device/opencl/opencl.h"
#include <sys/types.h>

/* What a helper finds open. */
enum { HELPER_JOBS = 3, HELPER_TEXTS, HELPER_RESULTS, HELPER_BINARIES, HELPER_FDS_END };

/* In the pipe of jobs, which all read from: where in the file of texts its source and its options stand, each
 * with its NUL.  Short enough to be written and read as a whole. */
typedef struct helper_job {
    int64_t job, offset, source_bytes, options_bytes;
} helper_job;

/* From a helper: that it begins, and what became of it; where in its file of binaries the binary stands. */
typedef enum helper_state { HELPER_BEGUN, HELPER_DONE, HELPER_FAILED } helper_state;
typedef struct helper_result {
    int64_t job, state, offset, bytes;
} helper_result;

/* NULL where none are wanted: without $DALLE_CL_HELPER, or for another device than a CPU, whose memory a
 * second process would take.  The device outlives it. */
helpers *helpers_create(device *d);
void helpers_destroy(helpers *h); /* ends them; NULL is harmless */
/* Puts a program into the queue, unless it is there.  False: it is not, for want of memory. */
bool helpers_ask(helpers *h, const program_recipe *r);
bool helpers_know(const helpers *h, const program_name *n); /* it is in the queue, or built and not taken */
/* A program asked for, built here or there, which becomes the caller's.  NULL: never asked for, or it failed
 * with *err. */
cl_program helpers_take(helpers *h, const program_recipe *r, error *err);

#endif

/* cl_layer.h -- a layer between the OpenCL loader and the driver, for tests only: it counts calls, makes
 * chosen ones fail, keeps books on what is alive, and plays a smaller device.
 *
 * The loader (ocl-icd) loads it when OPENCL_LAYERS names the library; it then sees CLBlast's calls too.
 * A call made to fail does not reach the driver, and writes nothing but *errcode_ret; the exception are
 * releases, which are done all the same and then reported as failed, so that a leak found is the program's.
 * A program whose build was made to fail with CL_BUILD_PROGRAM_FAILURE reports an error and a log.
 * State is the process's; calls are taken to come from one thread at a time.
 *
 * Without code: CL_LAYER_FAIL="clFinish:3:-5" makes the third use fail, "clFinish:0:-5" every one,
 * CL_LAYER_LIMITS="group,local" (or "all") lowers limits; CL_LAYER_SIGNAL="clFinish:3:2" sends the process
 * signal 2 at the third use, and CL_LAYER_STALL="clFinish:3" never returns from it.  With CL_LAYER_MEMORY=32
 * a buffer beside those of 32 MiB fails, whatever the driver says it has: other programs hold the rest.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_SUPPORT_CL_LAYER_H
#define DALLE_CL_TESTS_SUPPORT_CL_LAYER_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdint.h>

/* What a smaller device refuses and reports: bits, and their words in CL_LAYER_LIMITS.  The driver's version
 * then names the limits, so that nothing remembered of the whole device is used for it. */
#define CL_LAYER_LIMITS(X) \
    X(BUFFER, "buffer")     /* a buffer over 64 MiB: CL_INVALID_BUFFER_SIZE */ \
    X(GROUP, "group")       /* a work-group over 64: CL_INVALID_WORK_GROUP_SIZE */ \
    X(LOCAL, "local")       /* a launch of a kernel with over 16 KiB of local memory: CL_OUT_OF_RESOURCES */ \
    X(HALF, "half")         /* a source that enables cl_khr_fp16 where the preprocessor sees it: no build */ \
    X(SUBGROUP, "subgroup") /* likewise an extension of subgroups, or a function of theirs */ \
    X(UNIT, "unit")         /* one compute unit */ \
    X(GPU, "gpu")           /* no limit: a CPU says that it is a GPU, so that those kernels meet the limits */

enum {
#define CL_LAYER_INDEX(name, word) CL_LAYER_INDEX_##name,
    CL_LAYER_LIMITS(CL_LAYER_INDEX) CL_LAYER_LIMIT_COUNT
#undef CL_LAYER_INDEX
};
enum {
#define CL_LAYER_BIT(name, word) CL_LAYER_##name = 1 << CL_LAYER_INDEX_##name,
    CL_LAYER_LIMITS(CL_LAYER_BIT) CL_LAYER_ALL = CL_LAYER_GPU - 1 /* all limits */
#undef CL_LAYER_BIT
};
#define CL_LAYER_LOST       (-1)
#define CL_LAYER_MOST_BYTES (64 << 20)
#define CL_LAYER_MOST_GROUP 64
#define CL_LAYER_MOST_LOCAL (16 << 10)

typedef enum cl_layer_kind {
    CL_LAYER_CONTEXTS,
    CL_LAYER_QUEUES,
    CL_LAYER_BUFFERS,
    CL_LAYER_PROGRAMS,
    CL_LAYER_KERNELS,
    CL_LAYER_EVENTS,
    CL_LAYER_KINDS
} cl_layer_kind;

/* The library's one symbol, `cl_layer_control`, found with dlsym.  Calls are known by number; a build of a
 * program that came as a binary is a call of its own, "clBuildProgram(binary)". */
typedef struct cl_layer {
    int calls; /* how many are known */
    const char *(*name)(int call);
    long (*uses)(int call); /* since the last reset */
    /* Forgets uses and what was to fail; limits and what is alive stay. */
    void (*reset)(void);
    /* Makes uses nth .. nth + times - 1 (the first is 1) fail with `code`; CL_LAYER_LOST times: that one, and
     * every call of any kind after it, as when the device is gone. */
    void (*fail)(int call, long nth, long times, cl_int code);
    long (*failed)(void); /* uses that were made to fail since the last reset */
    /* The functions that the first of them was called from, innermost first, as " name name "; those that are
     * not exported, and so have no name at run time, are left out. */
    const char *(*failed_in)(void);
    /* Keeps, or no longer keeps, from where each use comes.  place(call, nth, 1) is the place of the call
     * itself, 3 also its caller's and that one's, the loader left out; equal numbers are equal places; 0: not
     * kept. */
    void (*watch)(int on);
    uint64_t (*place)(int call, long nth, int callers);
    long (*alive)(cl_layer_kind kind); /* references: made and retained, less released */
    const char *(*kind_name)(cl_layer_kind kind);
    void (*limit)(unsigned bits);
} cl_layer;

#endif

/* double.h -- stand-ins for NVIDIA's three libraries, which compute on the host: libcuda.so.1 (driver.c, with
 * queue.c), libnvrtc.so (compiler.c) and libcublasLt.so (products.c), in one folder that
 * DALLE_CL_CUDA_LIBRARIES names.  What tests ask of them is exported by the first:
 *   plan    which call is to fail next
 *   calls   how many were made since
 *   alive   how many things are made and not given back
 * Streams are lazy: what is enqueued runs when somebody waits for it, so that a missing wait shows.
 * $CUDA_DOUBLE, words with a blank between, makes the card another one: cards=0, capability=120, mode=2,
 * fail=CALL:STATUS (at each use).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CUDA_DOUBLE_H
#define DALLE_CL_CUDA_DOUBLE_H

#include "host/device/cuda/api.h"

#include <stdbool.h>

#define DOUBLE_MEMORY_BYTES ((size_t)1 << 30)
#define DOUBLE_SHARED_BYTES 49152
#define DOUBLE_MAX_THREADS  1024
#define DOUBLE_EXPORT       __attribute__((visibility("default")))

/* What a test holds by dlsym. */
typedef struct cuda_double {
    /* From now on call number `at`, counted from 1 (0: none), returns `status`; with `always` the later ones
     * do, too, but for those that give something back. */
    void (*plan)(long at, int status, bool always);
    long (*calls)(void);
    const char *(*failed)(void); /* the name of the call that failed, or "" */
    long (*alive)(void);
    long (*replays)(void); /* graphs launched */
} cuda_double;
extern const cuda_double cuda_double_table;

/* For the stand-ins: the status that this call is to return, or 0; what gives something back is done all the
 * same; things made and given back. */
DOUBLE_EXPORT int double_status(const char *call);
DOUBLE_EXPORT void double_made(int count);
/* A setting of $CUDA_DOUBLE. */
DOUBLE_EXPORT int double_setting(const char *name, int usual);

#define DOUBLE_MAY_FAIL(call) \
    do { \
        const int planned = double_status(#call); \
        if (planned) return planned; \
    } while (0)

/* queue.c: work with a copy of `bytes` of data, in order on a stream, or into the graph being recorded. */
typedef void double_work(void *data);
DOUBLE_EXPORT int double_enqueue(cu_stream on, double_work *work, const void *data, size_t bytes);
void double_drain_all(void);
bool double_recording(void); /* on this process's only stream that may: then nothing may wait */

#endif

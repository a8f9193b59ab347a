/* sweep.h -- a long pass over many things by worker threads: made in order, worked on by any, taken in order.
 * What is held at a time is a few items for each thread, whatever the length of the pass.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_SWEEP_H
#define DALLE_CL_DATA_SWEEP_H

#include "host/base/error.h"
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sweep {
    int threads;       /* 0: one for each processor, at most 8 */
    size_t item_bytes; /* an item is zeroed before `next` fills it */
    void *context;
    /* Fills item `index`, one call at a time and in order; false: there are no more.  Called by any
     * thread. */
    bool (*next)(void *context, int64_t index, void *item);
    void (*work)(void *context, void *item); /* by any thread, any number at once */
    /* In order, by the thread that called sweep_run; false ends the pass. */
    bool (*take)(void *context, int64_t index, void *item, error *err);
    void (*drop)(void *context, void *item); /* frees what an item owns; NULL: nothing */
    /* By the same thread, some times a second, with the number of items taken; NULL: nobody wants to know. */
    void (*tell)(void *context, int64_t taken);
    const volatile sig_atomic_t *interrupted; /* ends the pass with ERROR_INTERRUPTED; NULL: never */
} sweep;

bool sweep_run(const sweep *s, error *err);

#endif

/* order_window.h -- shards shuffled, a few of them interleaved, their samples shuffled within a window: an
 * order for more samples than can be permuted in memory, read almost in the order of the files.
 * What stands where in an epoch depends on the seed, the epoch and the place alone.  One thread at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_ORDER_WINDOW_H
#define DALLE_CL_DATA_ORDER_WINDOW_H

#include "host/base/error.h"
#include <stdint.h>

#define ORDER_WINDOW_MOST 65536 /* samples */

typedef struct order_window order_window;

typedef struct order_window_config {
    const int64_t *starts; /* [shards + 1]: shard i holds places starts[i] up to, not with, starts[i + 1] */
    int64_t shards;
    uint64_t seed;
    int interleave; /* shards, at least 1 */
    int window;     /* samples, 1 up to ORDER_WINDOW_MOST */
} order_window_config;

/* The starts are copied. */
order_window *order_window_create(const order_window_config *config, error *err);
void order_window_destroy(order_window *o);

/* The place that comes `nth` in the epoch. */
int64_t order_window_at(order_window *o, int64_t epoch, int64_t nth);

#endif

/* exchange.h -- the place between gradients and their norm: there each gradient passes through the host,
 * which may sum it over ranks or round it to what it would send.  They come and go on the transfer queue,
 * several at a time, each as soon as it has arrived; only what needs them, the norm and all updates, waits
 * for them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_EXCHANGE_H
#define DALLE_CL_TRAIN_EXCHANGE_H

#include "host/graph/graph.h"

/* Changes the gradient [count] of the parameter `of` in place, on the thread that runs the graph; they are
 * handed over in the same order in every step.  False, with *err: so ends graph_run. */
typedef bool (*exchange_change)(void *self, const store_entry *of, float *gradient, int64_t count,
                                error *err);
typedef struct exchange {
    exchange_change change;
    void *self; /* handed to `change`; must live as long as the graph */
} exchange;

/* Appends the passing of gradients[0..count-1], those of `of`, and puts in their place what comes back,
 * F32.  A graph with an exchange waits, while it is run, for what comes before it. */
void exchange_append(const exchange *x, graph *g, int count, const store_entry *const *of,
                     tensor **gradients);

#endif

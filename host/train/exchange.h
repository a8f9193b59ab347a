/* exchange.h -- tensors that pass through the host while a graph runs, which may sum them over ranks or round
 * them to what it would send.  They come and go on the transfer queue, several at a time, each as soon as it
 * has arrived; only what needs them waits for them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_EXCHANGE_H
#define DALLE_CL_TRAIN_EXCHANGE_H

#include "host/graph/graph.h"

/* Changes values[0..count-1], which belong to the entry `of`, or to none (NULL), in place, on the thread that
 * runs the graph; they are handed over in the same order in every step.  False, with *err: so ends
 * graph_run. */
typedef bool (*exchange_change)(void *self, const store_entry *of, dtype type, void *values, int64_t count,
                                error *err);
typedef struct exchange {
    exchange_change change;
    void *self; /* handed to `change`; must live as long as the graph */
} exchange;

/* Appends the passing of tensors[0..count-1], which belong to of[0..count-1] (NULL: to none), and puts in
 * their place what comes back, of the same types.  A graph with an exchange waits, while it is run, for what
 * comes before it. */
void exchange_append(const exchange *x, graph *g, int count, const store_entry *const *of, tensor **tensors);

#endif

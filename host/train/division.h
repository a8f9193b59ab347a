/* division.h -- a batch in parts: the graph of a step is that of one part, and runs once for each; what
 * it gives is added up, or put side by side, in entries of the store, and the update follows
 * once.  Activations are then those of one part.  The update is the undivided one's but for rounding:
 * sums are added up in another order.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_DIVISION_H
#define DALLE_CL_TRAIN_DIVISION_H

#include "host/graph/graph.h"

/* How a step's graph, the part's, stands to the batch.  Parts are alike, so that a mean over the batch is
 * the mean of the parts' means. */
typedef struct division {
    int64_t
        parts; /* at least 1, which is the whole batch: then these functions give back what they are given */
    int64_t samples; /* of one part */
    tensor *
        random; /* I32 [4] input, whose last number is the part's first sample in the batch (cl/random.clh) */
} division;

/* While the part's graph is built, after graph_backward; `name` becomes that of the store's entry,
 * "part.<name>". The mean over the parts of x, F32; and x [samples, ..] of all parts, [parts * samples,
 * ..]. */
tensor *division_mean(const division *d, const char *name, tensor *x);
tensor *division_whole(const division *d, const char *name, tensor *x);
/* What is built from now on runs once, after all parts. */
void division_end(const division *d, graph *g);

/* Writes the inputs of the part that begins with sample `first`, d->random among them. */
typedef bool (*division_write)(void *context, int64_t first, error *err);
/* Runs a step; does not wait for it. */
bool division_run(const division *d, graph *g, division_write write, void *context, error *err);

#endif

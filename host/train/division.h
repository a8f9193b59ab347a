/* division.h -- a batch in parts: the graph of a step is that of one part, and runs once for each; what it
 * gives is added up, or put side by side, in entries of the store, and the update follows once.  Activations
 * are then those of one part.  The update is the undivided one's but for rounding: sums are added up in
 * another order. Where the loss is of all samples together (a joined division), the parts run twice: what
 * the loss needs of each is put side by side, the loss and its gradient follow once, and then the parts are
 * computed again with that gradient. The ranks of a job are its outermost division: each computes its own
 * share of the batch, in parts or in one, and what is added up or put side by side comes from all of
 * them.  Where a batch is divided so among N ranks alone, the update has the bits of one rank's in N parts.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_DIVISION_H
#define DALLE_CL_TRAIN_DIVISION_H

#include "host/train/ranks.h"

/* How a step's graph, the part's, stands to the batch.  Parts are alike, so that a mean over the batch is
 * the mean of the parts' means. */
typedef struct division {
    int64_t
        parts; /* of this rank's share; 1 on one rank: then these functions give back what they are given */
    int64_t samples; /* of one part */
    tensor *
        random; /* I32 [4] input, whose last number is the part's first sample in the batch (cl/random.clh) */
    int64_t first; /* sample of the batch with which this rank's share begins */
    tensor *part;  /* the same input, or one whose last number counts from `first`; NULL: not divided */
    ranks_traffic *traffic; /* NULL: one rank */
    comm *comm;
    int64_t ranks;
    /* division_join's: the nodes behind which what runs once between the parts' two runs begins, and with
     * which it ends; NULL: the parts run once. */
    const node *joined, *parted;
} division;

/* Completes a division of which parts, samples and random are set.  `c` may be NULL. */
division division_among(division d, comm *c);
/* How many parts the whole batch has, on all ranks. */
int64_t division_parts(const division *d);

/* While the forward pass is built: x [samples, ..] of all parts, [parts * samples, ..]; what follows, the
 * loss, runs once.  What led to x must be computed again for its gradient (graph_recompute_begin), and *d
 * stay where it is until graph_backward is done. */
tensor *division_join(division *d, const char *name, tensor *x);
/* Whether a node runs once, between the parts' two runs. */
bool division_is_once(const division *d, const node *n);

/* While the part's graph is built, after graph_backward; `name` becomes that of the store's entry,
 * "part.<name>". The mean over the parts of x, F32; and x [samples, ..] of all parts, [parts * samples,
 * ..]. */
tensor *division_mean(const division *d, const char *name, tensor *x);
tensor *division_whole(const division *d, const char *name, tensor *x);
/* The mean over ranks of x, F32, where the forward pass is; and its gradient. */
tensor *division_mean_of_ranks(const division *d, tensor *x);
/* The means of all of these at once, at the end of the parts, which this ends; x[i] is the gradient of
 * of[i], of which this rank may have a piece.  With `own` those over this rank's parts alone. */
void division_means(const division *d, graph *g, int count, const store_entry *const *of,
                    const char *const *names, tensor **x, bool own);
/* What is built from now on runs once, after all parts. */
void division_end(const division *d, graph *g);

/* Writes the inputs of the part that begins with sample `first` of this rank's share: d->random, and d->part
 * where that is another, among them. */
typedef bool (*division_write)(void *context, int64_t first, error *err);
/* Runs a step; does not wait for it. */
bool division_run(const division *d, graph *g, division_write write, void *context, error *err);

#endif

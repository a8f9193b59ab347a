/* powersgd.h -- the sum of gradients over ranks as products of two thin matrices: PowerSGD (arXiv
 * 1905.13727) as appendices D and E of arXiv 2102.12092 have it.  Of each rank's error E [n, m], to which
 * its gradient has been added,
 *   P = sum E Q / ranks            Q [m, r] normal numbers, the same for good
 *   P' = orthonormal columns that span P + 1e-6 I
 *   R = sum E^T P' / ranks         the gradient that all ranks then see is P' R^T
 *   E = E - P' (E^T P')^T          what it did not show is left for later steps
 * so that r (n + m) numbers are sent instead of n m.  Gradients go into the errors as soon as they are
 * there, and need no room of their own.  The last line is each rank's own: the errors of all ranks add up
 * to the same as if each took off what all have sent, but do not drift apart.  docs/powersgd.md has the
 * reasons.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_POWERSGD_H
#define DALLE_CL_TRAIN_POWERSGD_H

#include "host/train/ranks.h"

typedef struct powersgd_settings {
    int64_t rank; /* r; 0: nothing is compressed */
    dtype type;   /* floating: of E, Q, P', R, and of what is sent */
    comm *ranks;  /* whose gradients are averaged; NULL: one's */
} powersgd_settings;

/* Whether less is sent of a parameter's gradient than the whole: of matrices, and of what has more axes as a
 * matrix of its first axis by the others, that are not wide (store.h). */
bool powersgd_takes(const powersgd_settings *s, const store_entry *e);
/* The largest r at which that is so; less than 1: never. */
int64_t powersgd_rank_most(const store_entry *e);

/* The compressed gradients of a graph, in whose arena it lives; at most so many.  NULL: memory is out, which
 * the graph knows. */
typedef struct powersgd powersgd;
powersgd *powersgd_create(graph *g, const powersgd_settings *s, int most);
/* While the part's graph is built (division.h): adds the part's share of a gradient to the error, which it
 * declares as kin of the parameter.  Where the gradient is scaled (F32 [1], or NULL) the error is not, for
 * scales move.  Returns the gradient's number. */
int powersgd_add(powersgd *p, store_entry *of, tensor *gradient, tensor *scale, int64_t parts);
/* Once, after all were added and before the parts end.  Of one part each P leaves as soon as the gradients
 * that it needs are in their errors, and R once P has been summed, while the device goes on; of several they
 * would be made for each, and so leave after the last.  `traffic` is of the settings' ranks; NULL: sums are
 * waited for. */
void powersgd_leave(powersgd *p, ranks_traffic *traffic, int64_t parts);
/* Once, after the parts. */
void powersgd_exchange(powersgd *p);
/* Then: the gradient that all ranks see, F32, scaled as it was, made anew by nodes of its own at each
 * call; */
tensor *powersgd_gradient(const powersgd *p, int number);
/* and what is left of the error after an update that goes by scale (op_gradient_scale). */
void powersgd_keep(powersgd *p, int number, tensor *scale);

/* What is sent in a step of how much, in numbers, of the gradients that are compressed in a store's
 * graphs. */
typedef struct powersgd_size {
    int matrices;
    int64_t whole, sent;
} powersgd_size;
powersgd_size powersgd_measure(const store *s);

/* By all ranks before a checkpoint, which holds the errors' sum over ranks (STORE_ERROR): shares the sum out
 * alike, so that a run that is resumed goes on as this one does. */
bool powersgd_settle(store *s, comm *ranks, error *err);

#endif

/* ranks.h -- what the ranks of a job give each other within a step: nodes that stand in its graph and talk
 * through the host, on the comm's thread.  What is to become the mean over ranks leaves the device on the
 * transfer queue as soon as it is there, while the device goes on, and comes back where it is needed.
 * Names: ranks_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_RANKS_H
#define DALLE_CL_TRAIN_RANKS_H

#include "host/comm/comm.h"
#include "host/graph/graph.h"

/* Of one graph, in whose arena it lives. */
typedef struct ranks_traffic ranks_traffic;
/* NULL, latched, where memory is out.  `parts` as in division.h. */
ranks_traffic *ranks_traffic_create(graph *g, comm *c, int64_t parts);

/* Appends, right behind the nodes that make them, the sending of x[0..count-1], F32; in a graph of parts the
 * last one's.  They are summed together, over the ranks `among`, the traffic's own or some of them. */
typedef struct ranks_journey ranks_journey;
ranks_journey *ranks_leave(ranks_traffic *t, graph *g, comm *among, int count, tensor **x);
/* The same for what is to become the sum over ranks, of one floating type, in which it is sent. */
ranks_journey *ranks_leave_sum(ranks_traffic *t, graph *g, comm *among, int count, tensor **x);
/* Appends their coming back, and puts the means, or sums, over ranks into x. */
void ranks_arrive(ranks_journey *j, graph *g, tensor **x);

/* The mean over ranks here and now, of each part; its gradient is what comes in, for that is averaged over
 * ranks in its turn. */
tensor *ranks_mean(ranks_traffic *t, tensor *x);
/* `whole` with every rank's part of its first axis, in place, of which each has the one that belongs to
 * it.  In a graph of parts of the last one, or, if `always`, whenever it is run. */
tensor *ranks_gather(ranks_traffic *t, tensor *whole, bool always);

/* Which part of a step runs next. */
void ranks_begin_part(ranks_traffic *t, int64_t part);
/* After a run has failed: waits for what it has begun. */
void ranks_settle(ranks_traffic *t, graph *g);

/* What passed so far. */
typedef struct ranks_usage {
    int64_t sums, values; /* each value once a sum */
    double seconds;       /* of sums, waiting for other ranks among them */
    double hidden;        /* of these, those before the last gradient of the step had left the device */
} ranks_usage;
ranks_usage ranks_traffic_usage(const ranks_traffic *t);

#endif

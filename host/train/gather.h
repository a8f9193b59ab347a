/* gather.h -- parameters of which each rank of a group has a piece, within a graph: a node that begins the
 * gathering of a whole and one that has it, and two of its gradient's way back to the pieces.  What is begun
 * goes on beside the device's work, on the comm's thread and the transfer queue.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_GATHER_H
#define DALLE_CL_TRAIN_GATHER_H

#include "host/comm/comm.h"
#include "host/graph/graph.h"

/* The ranks that have the pieces, and what is on its way among them. */
typedef struct gather_flight gather_flight;
typedef struct gather_group {
    comm *comm;
    int count, place; /* of comm's ranks; which of them this is */
    gather_flight *first;
} gather_group;

/* Appends what makes the whole of x, a piece along that axis; its gradient is the mean over the group.  The
 * group lives longer than the graph. */
tensor *gather_whole(gather_group *group, tensor *x, int axis);

/* Once all is built that uses wholes, with its gradient, and before anything else is: each block's wholes
 * (split_together) are begun where the block before has its own, and a gradient's way back ends behind where
 * the next one's begins.  Without this each ends where it begins.  The results are the same. */
void gather_ahead(graph *g);

/* Waits for what is on its way, and forgets it: after a run has failed, and before graph or device go. */
void gather_settle(gather_group *group);

#endif

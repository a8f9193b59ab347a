/* sum_over_ranks.h -- tensors that become their sum over the ranks of a job while a graph runs.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_SUM_OVER_RANKS_H
#define DALLE_CL_TRAIN_SUM_OVER_RANKS_H

#include "host/comm/comm.h"
#include "host/graph/graph.h"

/* Puts in the place of tensors[0..count-1] their sums, of the same floating types (comm_sum).  They come
 * and go on the transfer queue, several at a time.  `ranks` must live as long as the graph; NULL, one
 * rank: nothing is done. */
void sum_over_ranks(comm *ranks, graph *g, int count, tensor **tensors);

#endif

/* internal.h -- what the files of this folder share of a comm.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_COMM_INTERNAL_H
#define DALLE_CL_COMM_INTERNAL_H

#include "host/comm/comm.h"

#include <stdatomic.h>

typedef struct comm_engine comm_engine; /* the thread, and the way to other ranks */

struct comm {
    comm_engine *engine; /* shared by a comm and its groups */
    bool owner;
    int rank, count;
    int first, stride; /* rank r of this comm is rank first + r * stride of the whole job */
};

/* On the comm's thread: sends to one rank of this comm and receives from another; -1: neither. */
bool comm_pass(comm *c, int to, const void *out, int64_t out_bytes, int from, void *in, int64_t in_bytes,
               error *err);
/* Does `run` on the comm's thread and waits for it; at once if this is that thread. */
bool comm_do(comm *c, bool (*run)(void *self, error *err), void *self, error *err);

#endif

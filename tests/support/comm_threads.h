/* comm_threads.h -- ranks that are threads of one process, for tests of what ranks compute.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_COMM_THREADS_H
#define DALLE_CL_TESTS_COMM_THREADS_H

#include "host/comm/comm.h"

/* What one rank does, on a thread of its own, with the job's comm (NULL where `ranks` is 1): false, with
 * *err, if it failed, and then the others' comms fail, too. */
typedef bool (*comm_threads_run)(comm *c, void *self, error *err);

/* Runs all of them, and waits.  selves[r] is handed to rank r.  The first rank's error that failed by itself;
 * true: none did. */
bool comm_threads(int ranks, comm_threads_run run, void *const *selves, error *err);

/* Is called before a rank sends or receives, on its comm's thread.  Set while none runs; NULL: nothing is. */
typedef void (*comm_threads_watcher)(void *self, int rank);
void comm_threads_watch(comm_threads_watcher watcher, void *self);

#endif

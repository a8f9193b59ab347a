/* none.c -- a program built without MPI trains with one rank.
 * SPDX-License-Identifier: MIT */
#include "host/comm/comm.h"
#include "host/comm/started.h"

bool comm_open_mpi(double timeout, comm **c, error *err)
{
    (void)timeout;
    *c = NULL;
    int count = started_count();
    return count <= 1 || error_set(err, ERROR_USAGE,
                                   "started as one of %d ranks by a program that was built without MPI; "
                                   "install libopenmpi-dev and "
                                   "build again, or start it alone",
                                   count);
}

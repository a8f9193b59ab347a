/* started.h -- what mpirun tells the processes that it starts.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_COMM_STARTED_H
#define DALLE_CL_COMM_STARTED_H

/* Of how many ranks this process is one, by the environment; 1: it was started alone. */
int started_count(void);

#endif

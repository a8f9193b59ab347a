/* job.h -- a command that mpirun has started several times: which of its processes this one is, which device
 * is its own, and where it keeps what only the first writes for good.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_JOB_H
#define DALLE_CL_CLI_JOB_H

#include "app/cli/cli.h"
#include "host/comm/comm.h"

typedef struct job {
    comm *comm;         /* NULL: it was started alone */
    const char *device; /* this rank's */
    const char *run;    /* the run's folder; of a new run, on another rank than the first, a scratch folder */
    char number[16], scratch[256];
} job;

extern const cli_option job_options[]; /* --comm-timeout --share-device */
extern const int job_option_count;

bool job_open(job *j, const cli_call *call, error *err);
/* `ok` and *err are what came of the command; that all were interrupted is told by the first alone. */
void job_close(job *j, bool ok, error *err);

#endif

/* job.c -- see job.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/job.h"

#include "host/base/log.h"
#include "host/device/device.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
const cli_option job_options[] = {
    { "share-device", 0, CLI_FLAG, NULL, NULL, 0, 0, "under mpirun: more ranks than devices may share them, in turn" },
    { "comm-timeout", 0, CLI_REAL, "SECONDS", "30", 1, 86400, "under mpirun: a rank that does not answer for so long has failed" },
};
/* clang-format on */
const int job_option_count = (int)(sizeof job_options / sizeof *job_options);

/* ---- Devices ---- */

/* How many ranks this host has, and how many of them come before this one. */
static int ranks_here(const comm *c, int *before)
{
    const char *mine = comm_host(c, comm_rank(c));
    int here = 0;
    *before = 0;
    for (int r = 0; r < comm_count(c); ++r) {
        bool same = strcmp(comm_host(c, r), mine) == 0;
        here += same;
        *before += same && r < comm_rank(c);
    }
    return here;
}

/* Ranks of a host take the devices that are named in turn. */
static bool choose_device(job *j, const cli_call *call, error *err)
{
    int *devices, before, here = ranks_here(j->comm, &before);
    int count = device_select(j->device, &devices, err);
    if (count < 0) return false;
    bool ok =
        count >= here || cli_flag(call, "share-device") ||
        error_set(err, ERROR_USAGE,
                  "%d ranks on '%s' have %d device%s: name one for each, as --device 0,1, or say that they "
                  "share with --share-device",
                  here, comm_host(j->comm, comm_rank(j->comm)), count, count == 1 ? "" : "s");
    if (ok) snprintf(j->number, sizeof j->number, "%d", devices[before % count]);
    j->device = j->number;
    free(devices);
    return ok;
}

/* ---- What ranks say ---- */

static void say(void *context, log_level level, const char *line)
{
    const job *j = context;
    if (level <= LOG_WARNINGS) fprintf(stderr, "rank %d: %s\n", comm_rank(j->comm), line);
}

static int remove_one(const char *path, const struct stat *s, int what, struct FTW *where)
{
    (void)s, (void)what, (void)where;
    remove(path);
    return 0;
}

/* A new run's folder is the first rank's; what all make of the data, such as a tokenizer, each makes for
 * itself. */
static bool make_scratch(job *j, error *err)
{
    const char *folder = getenv("TMPDIR");
    snprintf(j->scratch, sizeof j->scratch, "%.200s/dalle-cl-rank-XXXXXX",
             folder && *folder ? folder : "/tmp");
    j->run = j->scratch;
    if (mkdtemp(j->scratch)) return true;
    j->scratch[0] = '\0';
    return error_set(err, ERROR_IO, "rank %d cannot make a folder in '%s'", comm_rank(j->comm),
                     folder && *folder ? folder : "/tmp");
}

bool job_open(job *j, const cli_call *call, error *err)
{
    *j = (job){ .device = cli_text(call, "device"), .run = cli_text(call, "run") };
    if (!comm_open_mpi(cli_real(call, "comm-timeout"), &j->comm, err)) return false;
    if (!j->comm) return true;
    if (comm_rank(j->comm)) log_set_sink(say, j);
    return choose_device(j, call, err) &&
           (comm_rank(j->comm) == 0 || cli_flag(call, "resume") || make_scratch(j, err));
}

void job_close(job *j, bool ok, error *err)
{
    int rank = comm_rank(j->comm);
    if (j->comm && rank) log_set_sink(NULL, NULL);
    if (j->scratch[0]) nftw(j->scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    bool together = ok || err->code == ERROR_INTERRUPTED;
    char host[64] = "";
    if (j->comm) snprintf(host, sizeof host, "%s", comm_host(j->comm, rank));
    if (together)
        comm_close(j->comm);
    else
        comm_abandon(j->comm, err);
    if (j->comm && !together) error_prefix(err, "rank %d on '%s'", rank, host);
    if (j->comm && rank && !ok && together) err->message[0] = '\0';
    j->comm = NULL;
}

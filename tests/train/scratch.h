/* scratch.h -- a folder for one test program, and files that may not grow.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_TRAIN_SCRATCH_H
#define DALLE_CL_TESTS_TRAIN_SCRATCH_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static inline void scratch_make_in(const char *base, char path[256])
{
    snprintf(path, 256, "%s/dalle-cl-test-XXXXXX", base);
    if (!mkdtemp(path)) abort();
}

static inline void scratch_make(char path[256])
{
    const char *base = getenv("TMPDIR");
    scratch_make_in(base && *base ? base : "/tmp", path);
}

/* For many small files that are flushed to the disk, which one in memory makes cheap. */
static inline void scratch_make_quick(char path[256])
{
    const char *base = getenv("TMPDIR");
    scratch_make_in(base && *base ? base : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", path);
}

static inline void scratch_remove(const char *path)
{
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", path);
}

/* No file may grow past `bytes`: writing fails as on a full disk.  RLIM_INFINITY lifts that. */
static inline void scratch_limit(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    signal(SIGXFSZ, bytes == RLIM_INFINITY ? SIG_DFL : SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
}

#endif

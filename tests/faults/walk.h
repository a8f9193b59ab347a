/* walk.h -- fault injection: a scenario is run again and again, and each time another OpenCL call of it
 * fails.
 *
 * A point is (call, which use, code, and whether every call after it fails too).  The parent starts a child
 * that walks the points one by one in one process; when it crashes or hangs, that point is counted and a new
 * child goes on with the next.  A point passes if the scenario ends in an error that names call, symbol and
 * remedy, or if the list in allowed.c says why the failure may be absorbed; if nothing of OpenCL is alive
 * that was not before; and if what is left behind is whole.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_FAULTS_WALK_H
#define DALLE_CL_TESTS_FAULTS_WALK_H

#include "host/base/error.h"
#include "tests/support/cl_layer.h"

typedef struct scenario {
    const char *name;
    bool empties;                /* its cache folder, which is therefore its own */
    int most;                    /* about as many points are walked unless all are asked for */
    bool (*prepare)(error *err); /* once in a process, and not walked; may be NULL */
    bool (*run)(error *err);     /* what is walked; gives back all it takes */
    /* After each run: what was left behind is good, or *err says why it is not; may be NULL. */
    bool (*check)(bool ran, error *err);
    void (*finish)(void); /* may be NULL */
} scenario;

extern const scenario scenarios[];
extern const int scenario_count;

/* A folder of this process's parent, for whatever a scenario writes. */
const char *walk_folder(void);
const char *walk_path(const char *name); /* in it; four results live at a time */

/* Sets $DALLE_CL_CACHE for a scenario. */
void walk_choose_cache(const scenario *s);

/* Why a failure of `call` may be absorbed when it was called from `callers` (" inner outer "), or NULL if it
 * must end in an error. */
const char *allowed(const char *call, const char *callers);

/* walk_child.c: walks from point `from` on and writes what happens to descriptor `out`, line by line:
 * "points N", "begin I TEXT", "end I VERDICT TEXT", "done". */
/* reached.c: that every call named in the sources of a folder is made; the exit status. */
int reached(const cl_layer *layer, const char *sources);

int walk_child(const cl_layer *layer, const scenario *s, bool all, int from, int out);

#endif

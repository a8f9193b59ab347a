/* alloc_walk.h -- runs a piece of work again and again, each time with another allocation refused, in
 * processes of their own, and judges how each run ended.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_SUPPORT_ALLOC_WALK_H
#define DALLE_CL_TESTS_SUPPORT_ALLOC_WALK_H

#include "host/base/error.h"
#include "tests/support/alloc/alloc_fault.h"

typedef struct alloc_scene {
    const char *name;
    void (*prepare)(void);                     /* before each run, nothing refused; or NULL */
    bool (*run)(error *err);                   /* the work; false with *err filled in if it failed */
    bool (*check)(bool succeeded, error *err); /* what the run left behind is whole; or NULL */
    int points; /* at most so many, spread over all; 0: every one.  With --more, eight times as many. */
    /* Functions that may go on without: a run that ends well although an allocation of theirs was refused
     * is right.  Ends with NULL. */
    const char *const *may_do_without;
} alloc_scene;

typedef struct alloc_totals {
    int64_t points, failed, did_without, unreached;
    int64_t crashes, unclear, leaks, broken;
} alloc_totals;

/* Reads the command line: [--more | --most N] [--scene NAME [--point N [--onward]]].  False: usage was
 * shown. */
bool alloc_walk_arguments(int argc, char **argv);
/* Walks a scene and adds to *totals; prints what went wrong. */
void alloc_walk(const alloc_scene *scene, alloc_totals *totals);
/* The line at the end; returns the process's exit status. */
int alloc_walk_summary(const alloc_totals *totals);
/* Runs `work` in a process of its own, so that a driver's threads never live in this one. */
bool alloc_walk_apart(bool (*work)(error *err), error *err);

#endif

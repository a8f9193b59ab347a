/* check.h -- reads everything that a set holds, and says what is wrong with which member.
 * Folders and tars are walked member by member, so that a damaged one hides none of the others: every picture
 * is decoded, every caption and description is read as strictly as it is meant.  Sets of other kinds are
 * opened as training opens them, and their pictures decoded.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_CHECK_H
#define DALLE_CL_DATA_CHECK_H

#include "host/base/error.h"
#include <signal.h>
#include <stdint.h>

typedef struct check_finding {
    const char *source, *member; /* member "": the source as a whole */
    const char *kind;            /* "picture", "caption", "description", "archive", "set", "left out" */
    const char *reason;          /* the problem without what is this member's own: alike for alike damage */
    const char *problem;
} check_finding;

typedef struct check_report {
    int64_t pictures, captions, descriptions; /* members that were looked at */
    int64_t bytes;
    int64_t samples, uncaptioned, left_out; /* of the set as a whole; 0 where it cannot be opened */
    int64_t count;
    check_finding *findings; /* in the order of the members */
    struct arena *memory;
} check_report;

typedef struct check_options {
    int threads; /* 0: one for each processor, at most 8 */
    const volatile sig_atomic_t *interrupted;
    /* Some times a second: bytes of all, how many members, how many of them bad. */
    void (*tell)(void *context, int64_t done, int64_t all, int64_t members, int64_t bad);
    void *context;
} check_options;

/* False only where checking itself fails: memory, an interruption (the report then holds what was found by
 * then).  To be freed in either case. */
bool check_run(const char *const *paths, int count, const check_options *o, check_report *out, error *err);
void check_report_free(check_report *r);

#endif

/* check_source.h -- walks through folders and tars member by member and goes on behind damage, for check.c.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_CHECK_SOURCE_H
#define DALLE_CL_DATA_CHECK_SOURCE_H

#include "data/dataset_source.h"

/* A picture, caption or description, or what is wrong with an archive or folder. */
typedef struct check_member {
    const char *source; /* the folder or tar; lasts as long as the walk */
    char *name;         /* within it; NULL: the source itself */
    member about;       /* kind, key_length, stem_length, size; of nothing that is its own */
    char *path;         /* of a file that is still to be read, else NULL */
    char *bytes;        /* what was read, with a zero behind; NULL: nothing yet */
    char *problem;      /* what is wrong with it already; NULL: nothing */
    bool memory;        /* ran out: the member is not as it says */
} check_member;
void check_member_free(check_member *m);
/* Copies a text for the member, or notes that memory ran out. */
char *check_member_keep(check_member *m, const char *text);

typedef struct check_source check_source;

/* The paths are borrowed.  Such as are neither a folder nor a tar are passed over: `odd` says which. */
check_source *check_source_open(const char *const *paths, int count, error *err);
void check_source_close(check_source *s);
/* False: there are no more. */
bool check_source_next(check_source *s, check_member *m);
/* Whether path i is a folder or a tar, so that its members come. */
bool check_source_walks(const check_source *s, int i);
/* Bytes of all tars and files, and of those that came. */
void check_source_progress(const check_source *s, int64_t *done, int64_t *all);

#endif

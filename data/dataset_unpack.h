/* dataset_unpack.h -- opens a tar for libarchive, which unpacks it, and stops it where it unpacks to more
 * than its size can account for: a bomb.
 * Names: unpack_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_UNPACK_H
#define DALLE_CL_DATA_DATASET_UNPACK_H

#include "host/base/error.h"
#include <archive.h>
#include <stdint.h>

/* A tar of pictures hardly shrinks, one of tiny texts to a hundredth. */
#define UNPACK_FREE  ((int64_t)64 << 20) /* bytes that any tar may unpack to, or hold in memory */
#define UNPACK_TIMES 200                 /* and so many times its own size */
#define UNPACK_BLOCK (1 << 14)           /* of the file at a time; what makes most of it, 512 MB */

typedef struct unpack {
    struct archive *tar;
    int file;
    int64_t size, at; /* of the file; read so far */
    int64_t most;     /* bytes */
    int64_t held;     /* by members in memory */
    bool exceeded;    /* the limit: why reading failed */
    char block[UNPACK_BLOCK];
} unpack;

/* Opens `file`, from its start, of `size` bytes; *u must stay where it is while the tar is read.  Of the
 * ways of packing those that libarchive itself undoes are known, none that starts a program, and no two at
 * once.  Reading more than the limit ends with ARCHIVE_FATAL and `exceeded`.  Result as of
 * archive_read_open2. */
int unpack_open(unpack *u, struct archive *tar, int file, int64_t size);
/* Before a member of `bytes` is read or passed over: whether that is within the limit. */
bool unpack_pass(unpack *u, int64_t bytes);
/* Before memory is taken for it: whether all that is held is then still within the limit. */
bool unpack_hold(unpack *u, int64_t bytes);
bool unpack_refuse(const unpack *u, const char *path, const char *name,
                   error *err); /* says so; name may be NULL */
/* The limit for a file of that size. */
int64_t unpack_most(int64_t size);

#endif

/* disk.h -- what a program does to the files of one folder, call by call: counted, so that it can be killed
 * in the midst of a chosen one; refused, as by a full disk; or written down, to know what a disk holds that
 * loses power.  A program that links disk.c has these calls wrapped (tests.cmake: DISK_CALLS).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_TRAIN_DISK_H
#define DALLE_CL_TESTS_TRAIN_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls that touch this folder count from now on; NULL: none do.  What was written down is forgotten, but not
 * by _off. */
void disk_watch(const char *folder);
void disk_watch_off(void);
int64_t disk_calls(void);

/* SIGKILL in call `call`, from 1: a write has written half then, others nothing.  0: never. */
void disk_kill_at(int64_t call);
/* How a disk without room shows itself, once: it says so when room is taken beforehand; or it cannot do that,
 * and has none when the content is written, or when it is flushed. */
typedef enum disk_full { DISK_HAS_ROOM, DISK_FULL_AT_ONCE, DISK_FULL_LATER, DISK_FULL_LAST } disk_full;
void disk_fill(disk_full how, int64_t from_call);
/* As on a disk whose files have one name each. */
void disk_refuse_links(void);

/* ---- What was done --------------------------------------------------------------------------------- */

typedef enum disk_kind {
    DISK_MAKE,       /* a file of no bytes gets a name */
    DISK_FOLDER,     /* likewise a folder */
    DISK_DATA,       /* a file holds these bytes, as far as processes see */
    DISK_SYNC,       /* what the file holds is on the disk */
    DISK_RENAME,     /* from `path` to `to` */
    DISK_LINK,       /* a file gets a second name, `to` */
    DISK_UNLINK,     /* a name goes */
    DISK_SYNC_NAMES, /* names made and gone in this folder are so on the disk */
    DISK_NOTE        /* the test's own: `file` is a number that it knows */
} disk_kind;

typedef struct disk_call {
    disk_kind kind;
    int64_t file; /* a number for each file; -1: none */
    char *path, *to;
    char *bytes;
    size_t size;
} disk_call;
const disk_call *disk_log(int *count);
void disk_note(int64_t number);

#endif

/* file.h -- whole files, folders, and writes that either happen or do not.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_FILE_H
#define DALLE_CL_BASE_FILE_H

#include "host/base/error.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The file's bytes plus a NUL, to be freed with free(); *size may be NULL and excludes the NUL. */
char *file_read(const char *path, size_t *size, error *err);
/* The same of a file that has at most `most` bytes; a larger one is refused before it is read.  (file_read
 * takes any file, but of a pipe or device, which might never end, a gigabyte.) */
char *file_read_most(const char *path, size_t most, size_t *size, error *err);
bool file_exists(const char *path);
bool file_is_folder(const char *path);
/* What is there; FILE_ABSENT is no error, what cannot be looked at is one, with its reason. */
typedef enum file_kind { FILE_ABSENT, FILE_PLAIN, FILE_FOLDER, FILE_OTHER } file_kind;
bool file_look(const char *path, file_kind *kind, error *err);
bool file_make_folders(const char *path, error *err); /* like mkdir -p, mode 0777 & ~umask; on the disk */

/* Writes to "path.tmp-<pid>", flushes to disk, and renames over `path`: a reader, or a restart after
 * a crash or a full disk, sees the old content or the new, never a part.  On failure nothing stays.
 * The order is what a loss of power needs: the content is on the disk before it has the name, since a file
 * system may otherwise keep the name and lose the content, and the folder is flushed after that, so that on
 * return the new content has the name whatever happens. */
typedef struct file_atomic {
    FILE *stream;
    char *path, *temporary;
    int64_t needs; /* bytes in all, for messages; 0: not known */
} file_atomic;
void file_atomic_name(const char *path, char *temporary, size_t room); /* of the temporary file */
bool file_atomic_open(file_atomic *f, const char *path, error *err);
/* Before the first byte: takes room for so many, where the file system can, so that a full disk is known
 * before anything is made.  A failure, here or later, says what is needed and what is free. */
bool file_atomic_reserve(file_atomic *f, int64_t bytes, error *err);
bool file_atomic_commit(file_atomic *f, error *err); /* closes in either case */
void file_atomic_abandon(file_atomic *f);            /* for clean-up paths; harmless after commit */
bool file_write(const char *path, const void *bytes, size_t size, error *err); /* the three in one */

/* Before long work: could `path` be written by file_atomic, or files into the folder `path`, which may have
 * to be made first? Nothing stays, and what is there is left as it is. */
bool file_check_writable(const char *path, error *err);
bool file_check_folder(const char *path, error *err);

/* "$XDG_CACHE_HOME/dalle-cl" or "~/.cache/dalle-cl", or $DALLE_CL_CACHE; NULL when that is "off" or
 * there is no home.  The folder is made with mode 0700.  To be freed. */
char *file_cache_folder(void);

/* Closes a stream of open_memstream: its text, to be freed, or NULL where memory ran out on the way, which
 * closing alone does not tell. */
char *file_stream_text(FILE *stream, char **text);

/* "a/b" joined; to be freed.  NULL when memory is out. */
char *file_join(const char *folder, const char *name);

#endif

/* dataset_files.h -- a set's tars, of which at most 64 are open at a time, but for those that more threads
 * read.  Any number of threads, up to 128, may use them.
 * Names: files_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_FILES_H
#define DALLE_CL_DATA_DATASET_FILES_H

#include "host/base/error.h"

#define FILES_OPEN 64

typedef struct files files;

/* The paths are borrowed; nothing is opened yet. */
files *files_create(const char *const *paths, int count, error *err);
void files_destroy(files *f);

/* Tar `i`, open for reading until it is given back; -1 with an error. */
int files_take(files *f, int i, error *err);
void files_give(files *f, int i);
/* Takes over tar `i`, already open: while there are few, each stays what it was when it was listed, whatever
 * becomes of its name. */
void files_keep(files *f, int i, int file);

#endif

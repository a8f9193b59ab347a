/* tar_writer.h -- a WebDataset tar: KEY.png, KEY.txt, KEY.json behind each other.  The same members give the
 * same bytes; the tar is there whole or not at all.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TAR_WRITER_H
#define DALLE_CL_DATA_TAR_WRITER_H

#include "host/base/error.h"
#include <stddef.h>

typedef struct tar_writer tar_writer;

tar_writer *tar_writer_open(const char *path, error *err);
/* The member KEY.extension. */
bool tar_writer_add(tar_writer *w, const char *key, const char *extension, const void *bytes, size_t size,
                    error *err);
/* Ends the tar and puts it in its place if `whole` is true, which is also what comes back unless that fails;
 * otherwise nothing stays.  Frees the writer in either case. */
bool tar_writer_close(tar_writer *w, bool whole, error *err);

struct archive;
/* False, with the error that libarchive met while it wrote `path`: the system's words, such as that no space
 * is left, where it has them.  NULL: memory was out. */
bool tar_writer_failed(struct archive *tar, const char *path, error *err);

#endif

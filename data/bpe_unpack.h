/* bpe_unpack.h -- a small file that gzip packed, in memory.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_BPE_UNPACK_H
#define DALLE_CL_DATA_BPE_UNPACK_H

#include "host/base/error.h"
#include <stddef.h>

bool bpe_unpack_known(const void *file, size_t size); /* does it begin as gzip's do? */
/* To be freed; a file that is cut short, broken, or larger than 16 MiB is an error that names `path`. */
char *bpe_unpack(const char *path, const void *file, size_t size, size_t *unpacked, error *err);

#endif

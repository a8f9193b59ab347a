/* dataset_stream.h -- members of compressed tars, which are unpacked from their beginning on.  A few tars are
 * being read at a time, and what was passed last is kept, up to a number of bytes, so that reading in about
 * the order of the tar unpacks it once; any other order gives the same bytes, slowly.  Any number of threads
 * may use it.
 * Names: streams_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_STREAM_H
#define DALLE_CL_DATA_DATASET_STREAM_H

#include "host/base/error.h"
#include <stdint.h>

#define STREAMS_OPEN 12
#define STREAMS_KEPT ((int64_t)64 << 20) /* bytes, of all streams together */

typedef struct streams streams;

/* The paths are borrowed.  `kept`: bytes; whatever it is, what is asked for is read. */
streams *streams_create(const char *const *paths, int64_t kept, error *err);
void streams_destroy(streams *s);

/* A copy of the `size` bytes that begin at `place` of tar `i`, as unpacked, and a NUL, to be freed. */
char *streams_read(streams *s, int i, int64_t place, int64_t size, error *err);
/* The name of the member whose header begins at `head`, as dataset_tar.c has it, to be freed. */
char *streams_name(streams *s, int i, int64_t head, error *err);
/* How often a tar was begun again because what was asked for had been passed. */
int64_t streams_rewound(streams *s);

#endif

/* dataset_build.h -- makes and renews the index of a large set: dataset_index.h.
 * It is kept as dalle-cl-HASH.index beside the first tar, or, where that folder cannot be written, in the
 * cache folder (host/base/file.h).  A tar is listed once, with the memory that its own names and texts take,
 * and again when its size or time has changed; HASH is of the tars' names, so that parts of a folder have
 * indexes of their own.
 * Names: build_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_BUILD_H
#define DALLE_CL_DATA_DATASET_BUILD_H

#include "data/dataset_index.h"
#include <stddef.h>

/* Above either a set is large (dataset.h). */
typedef struct build_limits {
    int64_t pictures, held; /* held: bytes of texts, and of pictures that compressed tars unpack to */
} build_limits;
#define BUILD_LIMITS ((build_limits){ 100000, (int64_t)64 << 20 })

/* Whether the set can have an index: whether all of its paths are files. */
bool build_can(const char *const *paths, int count);

typedef struct build_report {
    char path[4096];      /* where the index is */
    int64_t listed, kept; /* tars listed now; those whose part was taken over */
} build_report;

/* The index of these tars if there is one that is whole and up to date, else NULL in *found; *stale says that
 * there is one, of a large set, that is not. */
bool build_find(const char *const *paths, int count, build_limits limits, dataset_index **found, bool *stale,
                error *err);
/* The same, made or renewed if need be; `report` may be NULL. */
dataset_index *build_open(const char *const *paths, int count, build_report *report, error *err);
bool build_is_large(const dataset_index *x, build_limits limits);
/* Where the index of these tars would be: beside them, or in the cache folder.  False where there is none. */
bool build_path(const char *const *paths, int count, bool cache, char *text, size_t size);

#endif

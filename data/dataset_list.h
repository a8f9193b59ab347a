/* dataset_list.h -- one tar of a large set, listed for the index.
 * Names: list_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_LIST_H
#define DALLE_CL_DATA_DATASET_LIST_H

#include "data/dataset_index.h"

typedef struct shard_listing {
    index_shard about;
    index_entry *entries;
    char *lines; /* what was left out, one a line; NULL: nothing */
} shard_listing;

/* Splits get their numbers from the writer. */
/* `path` may have options.  `lenient`: a damaged tar is used as far as it is whole. */
bool list_shard(const char *path, bool lenient, index_writer *w, shard_listing *out, error *err);
void list_free(shard_listing *l);

#endif

/* dataset_shard.h -- samples of a large set, read from its tars by what its index says.
 * Names: shard_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_SHARD_H
#define DALLE_CL_DATA_DATASET_SHARD_H

#include "data/dataset.h"
#include "data/dataset_files.h"
#include "data/dataset_index.h"
#include "data/dataset_stream.h"

/* All borrowed but for what shard_open makes. */
typedef struct shards {
    const dataset_index *index;
    const char *const *paths; /* of the tars, as many as the index has */
    files *files;
    streams *streams;
} shards;

bool shard_open(shards *s, const dataset_index *index, const char *const *paths, files *f, error *err);
void shard_close(shards *s);

/* All that is known of a sample, to be freed with dataset_sample_free. */
bool shard_read(const shards *s, int64_t sample, dataset_sample *out, error *err);
/* The bytes of its picture's file, to be freed. */
char *shard_picture(const shards *s, int64_t sample, size_t *size, error *err);
/* Its KEY.json, to be freed; NULL where there is none, or a longer one than is read. */
bool shard_details(const shards *s, int64_t sample, char **details, error *err);
/* What errors call the picture. */
void shard_picture_name(const shards *s, int64_t sample, char name[512]);

#endif

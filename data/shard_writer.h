/* shard_writer.h -- writes a set as WebDataset shards: FOLDER/shard-000000.tar, shard-000001.tar, ...
 * The same samples give the same bytes.  A shard has its name when it is whole and on disk, and not before.
 * What stands behind a dot in the last part of a key would be a member's ending for other readers, so such
 * dots become underscores; a key that a shard has already gets "~2", "~3", ... behind it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_SHARD_WRITER_H
#define DALLE_CL_DATA_SHARD_WRITER_H

#include "host/base/error.h"
#include <stddef.h>
#include <stdint.h>

typedef enum shard_packing { SHARD_PLAIN, SHARD_GZIP, SHARD_ZSTD } shard_packing;

typedef struct shard_options {
    const char *folder; /* is made */
    int64_t samples;    /* of a shard at most; 0: any number */
    int64_t bytes;      /* of its pictures and texts, that of one sample at least; 0: any number */
    shard_packing packing;
    bool replace; /* shards that are there are removed first; without, they are an error */
    /* Called when a shard is complete and before it has its name, with that without ".tar" and what follows;
     * NULL: nobody wants to know. */
    bool (*sealed)(void *context, const char *stem, error *err);
    void *context;
} shard_options;

typedef struct shard_sample {
    const char *key;
    const void *picture; /* bytes of a picture's file, or NULL */
    size_t picture_bytes;
    const char *const *captions; /* in order: those before the first with a line break go into KEY.txt */
    int caption_count;
    const char *details; /* KEY.json as it was, or NULL: its captions give way to these */
} shard_sample;

typedef struct shard_writer shard_writer;

/* `o` is copied, its texts are borrowed. */
shard_writer *shard_writer_open(const shard_options *o, error *err);
/* *key, if wanted, is the one that it got, until the next call. */
bool shard_writer_add(shard_writer *w, const shard_sample *s, const char **key, error *err);
/* Finishes the last shard; the counts are of all. */
bool shard_writer_close(shard_writer *w, int64_t *samples, int64_t *shards, error *err);
/* Frees what is left, the shard that was begun included: after a failure, or harmlessly NULL. */
void shard_writer_abandon(shard_writer *w);

#endif

/* dataset_index.h -- a large set's index: a file that says where the samples of many tars lie, mapped into
 * memory.  A sample takes 40 bytes, a tar 248 and its path.  The file is written for one machine's byte
 * order, under a temporary name that is renamed, and holds SHA-256 sums of all of it; dataset_build.c makes
 * and renews it.  An open index never changes and may be used by any number of threads.
 *   Layout: index_header; index_entry of all samples, tar after tar; index_shard of all tars; texts.
 * Names: index_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_INDEX_H
#define DALLE_CL_DATA_DATASET_INDEX_H

#include "host/base/error.h"
#include <stdint.h>
#include <sys/stat.h>

#define INDEX_BLOCK      512 /* places in a tar are counted in such blocks */
#define INDEX_SPLITS     255 /* names of splits, the empty one among them */
#define INDEX_SHARDS     1000000
#define INDEX_LINES      1000 /* of what was left out */
#define INDEX_SHARD_LINE 20   /* of one tar */

typedef enum index_flag {
    INDEX_HAS_CAPTION = 1, /* a KEY.txt */
    INDEX_HAS_DETAILS = 2, /* a KEY.json */
    INDEX_CAPTIONED = 4,   /* at least one caption */
    INDEX_STEM = 8,        /* the key ends at the first dot of the picture's name, not at the last */
} index_flag;

typedef struct index_entry {
    uint64_t key;  /* index_hash of the key */
    uint32_t head; /* blocks before the header that names the picture, in the tar as unpacked */
    uint32_t picture, caption, details; /* blocks before their bytes */
    uint32_t picture_bytes, caption_bytes, details_bytes;
    uint8_t split, repeat, flags, unused;
} index_entry;

typedef struct index_shard {
    int64_t path;                        /* in the texts */
    int64_t bytes, seconds, nanoseconds; /* of the file, and when it was changed */
    int64_t first, count;                /* samples */
    int64_t pictures, held;              /* what listing it in memory would find and hold: dataset_source.h */
    int64_t picture_bytes;               /* of its samples */
    int64_t paired, lonely_captions, lonely_pictures; /* dataset_pair.h */
    int64_t left_out, lines; /* how many; the first of them in the texts, one a line */
    int64_t packed;          /* 1: compressed, so it is streamed */
    char content[64];        /* SHA-256 of its samples: dataset_hash.h */
    char sum[64];            /* of its entries */
} index_shard;

typedef struct dataset_index dataset_index;

/* Maps the file and checks all of it.  Damage is ERROR_FORMAT. */
dataset_index *index_open(const char *path, error *err);
void index_close(dataset_index *x);

int64_t index_count(const dataset_index *x);
int64_t index_bytes(const dataset_index *x); /* of the file */
const index_entry *index_entries(const dataset_index *x);
int64_t index_shards(const dataset_index *x);
const index_shard *index_shard_at(const dataset_index *x, int64_t i);
int64_t index_shard_of(const dataset_index *x, int64_t sample);
const char *index_text(const dataset_index *x, int64_t at);
int index_split_count(const dataset_index *x);
const char *index_split(const dataset_index *x, int i); /* 0: "" */

/* FNV-1a, mixed. */
uint64_t index_hash(const char *text);
/* Whether the file is still the one that was listed. */
bool index_is_fresh(const index_shard *s, const struct stat *about);

typedef struct index_writer index_writer;

/* Nothing stands at `path` before index_writer_finish. */
index_writer *index_writer_create(const char *path, error *err);
/* The number of a split; those beyond INDEX_SPLITS share the last. */
bool index_writer_split(index_writer *w, const char *name, uint8_t *split, error *err);
/* Appends a tar; `about` without first, path, lines, sum, which follow from the rest. */
bool index_writer_add(index_writer *w, const char *path, const index_shard *about, const index_entry *entries,
                      const char *lines, error *err);
bool index_writer_finish(index_writer *w, error *err); /* frees it in either case */
void index_writer_abandon(index_writer *w);

#endif

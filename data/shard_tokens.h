/* shard_tokens.h -- pictures' tokens beside the shards that hold the pictures: shard-000000.safetensors
 * beside shard-000000.tar, so that what learns tokens need not make them from pixels.
 *   "tokens"  I32 [samples, copies, side, side], in the order of the shard's samples
 *   "check"   I32 [samples], of each key the first four bytes of its SHA-256, the highest first: that a
 * row is
 *             the sample's
 *   metadata  "origin": fingerprint of the parameters that made them, "codes", and "how": in which way copies
 *             were cut and flipped
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_SHARD_TOKENS_H
#define DALLE_CL_DATA_SHARD_TOKENS_H

#include "data/dataset.h"

typedef struct shard_tokens_kind {
    int64_t side, codes; /* tokens a side; the vocabulary */
    int64_t copies;      /* of each picture */
    char origin[65];
    char how[200];
} shard_tokens_kind;

/* ---- Writing ---- */

typedef struct shard_tokens_writer shard_tokens_writer;
shard_tokens_writer *shard_tokens_writer_create(const shard_tokens_kind *k, error *err);
void shard_tokens_writer_destroy(shard_tokens_writer *w);
/* The next sample's: [copies][side * side]. */
bool shard_tokens_writer_add(shard_tokens_writer *w, const char *key, const int32_t *tokens, error *err);
/* Writes "<stem>.safetensors" of what was added since the last. */
bool shard_tokens_writer_seal(shard_tokens_writer *w, const char *stem, error *err);

/* ---- Reading ---- */

typedef struct shard_tokens shard_tokens;
/* Of a set's shards; *out NULL: there are none.  That some shards have tokens and some have none, that
 * they are not of one kind, or not of as many samples as the set has, is an error. */
bool shard_tokens_open(const dataset *d, shard_tokens **out, error *err);
void shard_tokens_close(shard_tokens *t);
const shard_tokens_kind *shard_tokens_about(const shard_tokens *t);
const char *shard_tokens_path(const shard_tokens *t); /* of the first */
/* SHA-256 of what is known of all without reading them: their kinds and sizes. */
void shard_tokens_hash(const shard_tokens *t, char hex[65]);
/* Tokens [side * side] of a sample's copy, after checking that the key is the row's.  May be called by any
 * number of threads. */
bool shard_tokens_read(const shard_tokens *t, int64_t sample, const char *key, int64_t copy, int32_t *out,
                       error *err);

#endif

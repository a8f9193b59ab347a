/* shard_text.h -- what stands in KEY.txt and KEY.json of a shard, so that reading them gives the captions in
 * the order in which they were.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_SHARD_TEXT_H
#define DALLE_CL_DATA_SHARD_TEXT_H

#include "data/shard_writer.h"

typedef struct shard_text {
    char *caption; /* lines of KEY.txt, or NULL */
    char *details; /* KEY.json, or NULL */
} shard_text;

/* The sidecar's other fields stay in their order; one that is no JSON object stays byte for byte. */
bool shard_text_make(const shard_sample *s, shard_text *out, error *err);
void shard_text_free(shard_text *t);

#endif

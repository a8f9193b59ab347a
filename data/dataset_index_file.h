/* dataset_index_file.h -- what reading and writing an index share.
 * Names: index_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_INDEX_FILE_H
#define DALLE_CL_DATA_DATASET_INDEX_FILE_H

#include "data/dataset_index.h"
#include "host/base/hash.h"

#define INDEX_MAGIC "dcl-idx1" /* another number where listing a tar comes to give other samples */
#define INDEX_ORDER 0x0102030405060708

typedef struct index_header {
    char magic[8];
    int64_t order; /* of bytes */
    int64_t samples, shards, text_bytes;
    int64_t splits, first_split; /* their names stand one after another in the texts */
    int64_t unused;
    char sum[64]; /* SHA-256 of the header without it, of the tars, and of the texts */
} index_header;

void index_sum(const void *bytes, size_t count, char sum[64]);
void index_sum_head(const index_header *header, const void *shards, const char *texts, char sum[64]);

#endif

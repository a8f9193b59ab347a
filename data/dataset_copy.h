/* dataset_copy.h -- a sample in one piece of memory, and what says whether two sets hold the same.
 * Names: sample_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_COPY_H
#define DALLE_CL_DATA_DATASET_COPY_H

#include "data/dataset.h"
#include "host/base/hash.h"

/* To be freed with dataset_sample_free. */
bool sample_copy(const dataset_sample *from, dataset_sample *to, error *err);
/* What dataset_hash takes of a sample. */
void sample_hash(hash *h, const dataset_sample *s, int64_t picture_bytes);

#endif

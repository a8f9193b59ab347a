/* sort_ids.h -- lists, on the device, the rows that hold each id (cl/sort_ids.clh); shared by the
 * gradient of embeddings and by codebook statistics.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_SORT_IDS_H
#define DALLE_CL_OPS_SORT_IDS_H

#include "host/graph/graph.h"

/* Scratch for `rows` ids below `count`. */
int64_t sort_ids_bytes(int64_t rows, int64_t count);
/* Records the sort into the node's scratch; the node's kernel file includes sort_ids.clh. */
bool sort_ids_bind(const node *n, binder *b, const tensor *ids, int64_t count);

/* The gradient of a table [count, C] looked up by ids, from dy [.., C]; in the type given.  Ids outside
 * the table add nothing. */
tensor *embedding_table_gradient(tensor *dy, tensor *ids, int64_t count, dtype type);

#endif

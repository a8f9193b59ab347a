/* checkpoint.h -- a store's content as a safetensors file.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TRAIN_CHECKPOINT_H
#define DALLE_CL_TRAIN_CHECKPOINT_H

#include "host/graph/store.h"

/* What a run's checkpoints say of their format; those of "dalle-cl checkpoint 1" state no checksum. */
#define CHECKPOINT_FORMAT     "dalle-cl checkpoint 2"
#define CHECKPOINT_FORMAT_OLD "dalle-cl checkpoint 1"

typedef struct checkpoint_text {
    const char *key, *value;
} checkpoint_text;

/* Saves parameters, moments, averages and state, with the metadata given and a checksum of it all; of a
 * store of pieces (pieces.h) the wholes, on rank 0, as checkpoint_load takes them apart.  Here as in what
 * follows, values are read from the device and written piece by piece: the host holds one piece (store.h:
 * STORE_PIECE). */
bool checkpoint_save(store *s, const char *path, const checkpoint_text *metadata, int count, error *err);

/* Whether the file is what was saved, to the last bit: ERROR_FORMAT, with the reason, if it is not.  A file
 * of the older format can only be well formed. */
bool checkpoint_verify(const char *path, error *err);

/* Of a file that checkpoint_verify has found good.  Loads every entry of those kinds that the store has; a
 * missing, misshapen or surplus tensor is an error that names it.  *metadata (may be NULL): a malloc'd array
 * of malloc'd pairs, see _free. */
typedef struct checkpoint_metadata {
    int count;
    checkpoint_text *at;
} checkpoint_metadata;
bool checkpoint_load(store *s, const char *path, checkpoint_metadata *metadata, error *err);
const char *checkpoint_metadata_get(const checkpoint_metadata *m, const char *key); /* or NULL */
void checkpoint_metadata_free(checkpoint_metadata *m);

/* Saves parameters alone for a model folder: the averages where the store has them (`averages`),
 * converted to `type` (F32 or F16; values that overflow F16 are an error), plus STORE_LEARNT entries. */
bool checkpoint_export(store *s, const char *path, bool averages, dtype type, const checkpoint_text *metadata,
                       int count, error *err);
/* SHA-256 of what an export holds: names, shapes and values, these rounded to 16 bits, so that a run and what
 * was packed of it in either storage are the same.  For stores whose parameters are imported. */
bool checkpoint_fingerprint(store *s, char hex[65], error *err);
/* The same of those alone whose names begin so. */
bool checkpoint_fingerprint_of(store *s, const char *begin, char hex[65], error *err);
/* Loads parameters (and exported state) of a file, which is compared with the checksum that it states, into
 * the store, converting storage types; tensors the
 * store lacks are an error unless `surplus_ok`, entries the file lacks always are.  With `surplus_ok` the
 * file may be a run's checkpoint, and the averages in it take the place of the parameters. */
bool checkpoint_import(store *s, const char *path, bool surplus_ok, checkpoint_metadata *metadata,
                       error *err);

#endif

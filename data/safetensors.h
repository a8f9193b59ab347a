/* safetensors.h -- named tensors in one file, the format of published checkpoints.
 *   8 bytes   length of the header, little endian
 *   header    JSON: "name": {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {text: text}
 *   data      the tensors without gaps; offsets count from here
 * A file is checked completely when it is opened, so that nothing read later can fail.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_SAFETENSORS_H
#define DALLE_CL_DATA_SAFETENSORS_H

#include "host/base/dtype.h"
#include "host/base/error.h"

#define SAFETENSORS_MAX_RANK 8

typedef struct safetensors safetensors;

/* Everything belongs to the open file. */
typedef struct safetensors_tensor {
    const char *name;
    const char *type_name; /* as in the file: also "F64", "I64", "BOOL", ...; or one of ours */
    bool loadable;         /* whether `type` is one of ours */
    dtype type;
    int rank;
    int64_t dim[SAFETENSORS_MAX_RANK];
    const void *data; /* aligned for its type */
    int64_t bytes;
} safetensors_tensor;

/* Maps the file.  NULL when it cannot be opened or is not whole and well formed. */
safetensors *safetensors_open(const char *path, error *err);
/* The same, after all bytes were read and compared with the checksum that the file states, if it does
 * (*stated): then what is read later is what was written.  With NULL for `stated` an error also says what
 * to do; others go on with the next file. */
safetensors *safetensors_open_whole(const char *path, bool *stated, error *err);
void safetensors_close(safetensors *file);

/* Tensors in the order of their data.  Any number of threads may read an open file. */
int safetensors_count(const safetensors *file);
const safetensors_tensor *safetensors_at(const safetensors *file, int index);
const safetensors_tensor *safetensors_find(const safetensors *file, const char *name); /* or NULL */
const char *safetensors_metadata(const safetensors *file, const char *key);            /* or NULL */

typedef struct safetensors_writer safetensors_writer;

safetensors_writer *safetensors_writer_create(void); /* NULL when memory is out */
void safetensors_writer_destroy(safetensors_writer *writer);
/* The data is borrowed until the file is written; `bytes` must be the shape's size. */
bool safetensors_add(safetensors_writer *writer, const char *name, dtype type, int rank, const int64_t *dim,
                     const void *data, int64_t bytes, error *err);
/* Data that is not in memory: while the file is written, `source` is asked for elements first .. first +
 * count - 1, in order, at most SAFETENSORS_PIECE at a time.  `of`, which it gets, is borrowed until then. */
#define SAFETENSORS_PIECE (1 << 20)
typedef bool (*safetensors_source)(void *of, int64_t first, int64_t count, void *values, error *err);
bool safetensors_add_source(safetensors_writer *writer, const char *name, dtype type, int rank,
                            const int64_t *dim, safetensors_source source, void *of, error *err);
bool safetensors_add_metadata(safetensors_writer *writer, const char *key, const char *value, error *err);
/* The file will state its own checksum: a text of its metadata, which other readers pass over, with the
 * SHA-256 of all the file's bytes, these 64 digits taken as zeros.  In a text, the quotes of _START would
 * have backslashes. */
#define SAFETENSORS_SUM       "sha256"
#define SAFETENSORS_SUM_START "\"" SAFETENSORS_SUM "\":\""
#define SAFETENSORS_SUM_EMPTY "0000000000000000000000000000000000000000000000000000000000000000"
bool safetensors_add_checksum(safetensors_writer *writer, error *err);
/* A type of ours that the format has not, such as F169, is stored as one that it has, and a text of the
 * metadata, "dtype.<tensor>", says what it is.  False: the name is too long for one. */
#define SAFETENSORS_TYPE     "dtype."
#define SAFETENSORS_TYPE_KEY 1024
bool safetensors_type_key(const char *tensor, char key[SAFETENSORS_TYPE_KEY]);
/* Wide types first, so that every tensor is aligned, otherwise in the order added.  The file is whole
 * or, on failure, as it was before. */
bool safetensors_write(const safetensors_writer *writer, const char *path, error *err);

#endif

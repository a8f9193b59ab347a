/* embedding_file.h -- a set's embeddings, kept in a file beside it: safetensors with
 *   embeddings  F32 [pictures, dimensions]; all zeros for a picture that cannot be read
 *   keys        U8, the pictures' keys in that order, each with a NUL behind
 * and in its metadata what they are of: hashes of the set and of the CLIP's parameters.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_EMBEDDING_FILE_H
#define DALLE_CL_CLI_EMBEDDING_FILE_H

#include "app/cli/embedding.h"

typedef struct embedding_file embedding_file;

/* What the embeddings are to be of. */
typedef struct embedding_origin {
    char set[65], model[65];
    int64_t count;
    int dimensions;
} embedding_origin;
bool embedding_origin_of(const dalle_model *model, const collection *pictures, embedding_origin *out,
                         error *err);

/* *out is NULL where there is no file, or one of another set or CLIP, which is said.  A file of anything else
 * is an error, for it would be lost. */
bool embedding_file_open(const char *path, const embedding_origin *of, embedding_file **out, error *err);
void embedding_file_close(embedding_file *f);
/* [count][dimensions], mapped. */
const float *embedding_file_values(const embedding_file *f);

/* Embeds all of the pass's pictures into a file, which is written whole or not at all. */
bool embedding_file_write(const char *path, embedding_pass *p, const embedding_origin *of, error *err);

#endif

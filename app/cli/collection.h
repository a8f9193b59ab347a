/* collection.h -- the pictures that a command's arguments name: sets as `train` reads them, picture files.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_CLI_COLLECTION_H
#define DALLE_CL_CLI_COLLECTION_H

#include "data/dataset.h"

#define COLLECTION_ARGUMENTS "SET|PICTURE..."
#define COLLECTION_TEXT \
    "\nA SET is whatever --data of 'train' may be, captions or not; 'dalle-cl data info --help' says " \
    "what.\nPicture files (PNG, JPEG or WebP) may be named, too."

/* What an argument that may be either is: *picture = a picture's file; a text otherwise.  A picture's name
 * without a file, or a folder's, is an error. */
bool collection_tell(const char *argument, bool *picture, error *err);

typedef struct collection collection;

/* Paths are borrowed.  In the order of the arguments. */
collection *collection_open(const char *const *paths, int count, error *err);
void collection_close(collection *c);
int64_t collection_count(const collection *c);

typedef struct collection_item {
    dataset_sample sample; /* of a file only the key, its path */
    const char *source;    /* the folder that was named and that it lies in, or "" */
} collection_item;
/* To be freed with dataset_sample_free(&out->sample). */
bool collection_item_read(const collection *c, int64_t index, collection_item *out, error *err);
/* By any number of threads. */
bool collection_picture(const collection *c, int64_t index, image *out, error *err);
/* The picture's file as it is, to be freed with free(). */
bool collection_bytes(const collection *c, int64_t index, void **bytes, size_t *size, error *err);

/* What dataset_hash is for one set, for all; where there are picture files it is an error. */
bool collection_hash(const collection *c, char hex[65], error *err);

#endif

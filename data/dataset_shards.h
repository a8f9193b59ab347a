/* dataset_shards.h -- a folder's tars.
 * Names: shards_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_SHARDS_H
#define DALLE_CL_DATA_DATASET_SHARDS_H

#include "host/base/error.h"

/* *pictures becomes false where the folder, with those in it, holds tars and no picture. */
bool shards_only(const char *folder, bool *pictures, error *err);
/* Each tar in the folder and those in it, in order of name; stops where `take` is false. */
bool shards_each(const char *folder, bool (*take)(void *context, const char *path, error *err), void *context,
                 error *err);
/* Whether the name ends as that of a tar, perhaps packed. */
bool shards_is_tar(const char *name);

#endif

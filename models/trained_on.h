/* trained_on.h -- which part of another kind a trained part was trained with, as its file and its run say.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_MODELS_TRAINED_ON_H
#define DALLE_CL_MODELS_TRAINED_ON_H

#include "host/train/checkpoint.h"
#include <jansson.h>

typedef struct trained_on {
    char hex[65]; /* fingerprint of the other part's parameters (checkpoint.h); empty: nothing says it */
    char *name;   /* the folder that it was then found in; of a packed part the one that both are in */
    json_t *data; /* run.json's "data"; NULL: the folder is no run's */
} trained_on;

/* Of the part whose file had this metadata, opened from `folder`; `key` is the other part's in metadata, in
 * the run's state and in run.json.  To be freed. */
bool trained_on_find(const checkpoint_metadata *metadata, const char *folder, const char *key,
                     trained_on *out, error *err);
void trained_on_free(trained_on *t);
/* Takes what is a fingerprint; NULL and other texts leave `to` as it is. */
void trained_on_keep(char to[65], const char *hex);

#endif

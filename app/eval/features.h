/* features.h -- rows of numbers that something says of pictures or captions, one after another.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_EVAL_FEATURES_H
#define DALLE_CL_EVAL_FEATURES_H

#include "host/base/error.h"
#include <stdint.h>

/* Zeros but for `width` are an empty one; `at` is [count][width]. */
typedef struct features {
    float *at;
    int64_t count, room, width;
} features;

/* Room for `count` rows more, whose place is given, or NULL; they count from now on. */
float *features_add(features *f, int64_t count, error *err);
void features_free(features *f);

#endif

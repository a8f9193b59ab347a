/* features.c -- see features.h.
 * SPDX-License-Identifier: MIT */
#include "app/eval/features.h"

#include <stdlib.h>

float *features_add(features *f, int64_t count, error *err)
{
    int64_t wanted = f->count + count;
    if (wanted > f->room) {
        int64_t room = wanted < 2 * f->room ? 2 * f->room : wanted;
        float *more = realloc(f->at, (size_t)(room * f->width) * sizeof *more);
        if (!more)
            return error_null(err, ERROR_MEMORY,
                              "out of memory for %lld features of %lld numbers; lower --count",
                              (long long)room, (long long)f->width);
        f->at = more;
        f->room = room;
    }
    float *place = f->at + f->count * f->width;
    f->count = wanted;
    return place;
}

void features_free(features *f)
{
    free(f->at);
    f->at = NULL;
    f->count = f->room = 0;
}

/* embedding_check.c -- see embedding_check.h.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/embedding_check.h"

#include "host/base/dot.h"
#include "models/clip/retrieval.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWN = 128 };

double embedding_cosine(const float *a, const float *b, int64_t size)
{
    return dot(a, b, size);
}

/* To be freed; NULL with an error. */
static float *drawn_by(const embedding_data *d, embedding_drawing *draw, void *self, int64_t count,
                       error *err)
{
    float *drawn = malloc((size_t)(count * d->size) * sizeof *drawn);
    if (!drawn) return error_null(err, ERROR_MEMORY, "out of memory for %lld embeddings", (long long)count);
    if (draw(self, count, drawn, err)) return drawn;
    free(drawn);
    return NULL;
}

bool embedding_check(const embedding_data *d, embedding_drawing *draw, void *self, double *near,
                     double *found, error *err)
{
    int64_t count = d->count < DRAWN ? d->count : DRAWN;
    float *drawn = drawn_by(d, draw, self, count, err);
    *near = *found = 0;
    for (int64_t i = 0; drawn && i < count; ++i) {
        const float *x = drawn + i * d->size;
        *near += embedding_cosine(x, d->pictures + i * d->size, d->size) / (double)count;
        *found += (retrieval_nearest(d->pictures, d->count, x, d->size) == i) / (double)count;
    }
    free(drawn);
    return drawn != NULL;
}

bool embedding_check_show(embedding_data *d, embedding_drawing *draw, void *self, const uint8_t *real,
                          int64_t count, uint8_t *made, error *err)
{
    int64_t side = training_data_size(d->data), one = side * side * 3;
    float *drawn = embedding_data_validation(d, err) ? drawn_by(d, draw, self, count, err) : NULL;
    for (int64_t i = 0; drawn && i < count; ++i) {
        int64_t which = retrieval_nearest(d->pictures, count, drawn + i * d->size, d->size);
        memcpy(made + i * one, real + which * one, (size_t)one);
    }
    free(drawn);
    return drawn != NULL;
}

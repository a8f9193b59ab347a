/* retrieval.c -- see retrieval.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/retrieval.h"

#include "host/base/dot.h"

#include <math.h>
#include <stdlib.h>

int64_t retrieval_nearest(const float *rows, int64_t count, const float *to, int64_t size)
{
    int64_t best = 0;
    double most = -INFINITY;
    for (int64_t i = 0; i < count; ++i) {
        double is = dot(rows + i * size, to, size);
        if (is > most) {
            most = is;
            best = i;
        }
    }
    return best;
}

/* Of one line of `count` similarities, `stride` apart: the cross-entropy of number `own`, and whether that is
 * the first of the largest. */
static double judge(const double *line, int64_t count, int64_t stride, int64_t own, double scale, bool *first)
{
    double most = -INFINITY, sum = 0;
    int64_t best = 0;
    for (int64_t i = 0; i < count; ++i)
        if (line[i * stride] > most) {
            most = line[i * stride];
            best = i;
        }
    for (int64_t i = 0; i < count; ++i) sum += exp(scale * (line[i * stride] - most));
    *first = best == own;
    return log(sum) + scale * (most - line[own * stride]);
}

bool retrieval_of(const float *pictures, const float *texts, int64_t count, int64_t size, double scale,
                  retrieval *out, error *err)
{
    double *similar = malloc((size_t)(count * count) * sizeof *similar);
    if (!similar)
        return error_set(err, ERROR_MEMORY, "out of memory for comparing %lld pictures", (long long)count);
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < count; ++j)
            similar[i * count + j] = dot(pictures + i * size, texts + j * size, size);
    *out = (retrieval){ 0 };
    for (int64_t i = 0; i < count; ++i) {
        bool caption, picture;
        out->loss += judge(similar + i * count, count, 1, i, scale, &caption) / (2 * (double)count);
        out->loss += judge(similar + i, count, count, i, scale, &picture) / (2 * (double)count);
        out->captions += caption / (double)count;
        out->pictures += picture / (double)count;
    }
    free(similar);
    return true;
}

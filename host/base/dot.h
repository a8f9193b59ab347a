/* dot.h -- the product of two vectors, added up in double precision and in one order: the same bits whatever
 * else is computed.  Of vectors that are 1 long it is the cosine between them.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_DOT_H
#define DALLE_CL_BASE_DOT_H

#include <stdint.h>

static inline double dot(const float *a, const float *b, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += (double)a[i] * (double)b[i];
    return sum;
}

#endif

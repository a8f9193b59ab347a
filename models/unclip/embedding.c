/* embedding.c -- see embedding.h.  In double precision and one order: the same bits everywhere.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/embedding.h"

#include "host/base/dot.h"

#include <math.h>
#include <string.h>

/* Below this sine of the angle the circle's formula is lost in rounding; the straight line is the circle
 * then. */
#define FLAT 1e-6

static void add(const float *a, double p, const float *b, double q, int64_t size, float *out)
{
    for (int64_t i = 0; i < size; ++i) out[i] = (float)(p * (double)a[i] + q * (double)b[i]);
}

/* The two factors of ends `angle` apart. */
static void factors(double angle, double share, double *p, double *q)
{
    *p = sin((1 - share) * angle) / sin(angle);
    *q = sin(share * angle) / sin(angle);
}

/* In the very middle between opposite ends there is no direction at all: that stays the first's. */
static void straight(const float *a, const float *b, int64_t size, double share, float *out)
{
    add(a, 1 - share, b, share, size, out);
    if (!embedding_norm(out, size)) memmove(out, a, (size_t)size * sizeof *out);
}

void embedding_slerp(const float *a, const float *b, int64_t size, double share, float *out)
{
    double angle = acos(fmax(-1, fmin(1, dot(a, b, size)))), p, q;
    if (share <= 0 || share >= 1) {
        memmove(out, share <= 0 ? a : b, (size_t)size * sizeof *out);
    } else if (sin(angle) < FLAT) {
        straight(a, b, size, share, out);
    } else {
        factors(angle, share, &p, &q);
        add(a, p, b, q, size, out);
    }
}

void embedding_between(const float *a, const float *b, int64_t size, double share, float *out)
{
    double from = sqrt(dot(a, a, size)), to = sqrt(dot(b, b, size)),
           cosine = from > 0 && to > 0 ? dot(a, b, size) / (from * to) : 1,
           angle = acos(fmax(-1, fmin(1, cosine))), length = (1 - share) * from + share * to, p = 1 - share,
           q = share;
    if (share <= 0 || share >= 1) {
        memmove(out, share <= 0 ? a : b, (size_t)size * sizeof *out);
        return;
    }
    if (sin(angle) >= FLAT) {
        factors(angle, share, &p, &q);
        p *= length / from;
        q *= length / to;
    }
    add(a, p, b, q, size, out);
}

bool embedding_norm(float *x, int64_t size)
{
    double length = sqrt(dot(x, x, size));
    if (!(length > 0) || !isfinite(length)) return false;
    for (int64_t i = 0; i < size; ++i) x[i] = (float)((double)x[i] / length);
    return true;
}

bool embedding_difference(const float *from, const float *to, int64_t size, float *out)
{
    add(to, 1, from, -1, size, out);
    return embedding_norm(out, size);
}

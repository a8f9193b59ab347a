/* mask.c -- see mask.h.
 * SPDX-License-Identifier: MIT */
#include "app/api/mask.h"

#include <stdlib.h>
#include <string.h>

/* The pixels of `from` that lie in pixel `at` of `to`: from the first up to `end`, at least one. */
static void span(int at, int from, int to, int *first, int *end)
{
    *first = (int)((int64_t)at * from / to);
    *end = (int)(((int64_t)(at + 1) * from + to - 1) / to);
}

static bool covers(const uint8_t *mask, int from, int to, int x, int y)
{
    int left, right, top, bottom;
    span(x, from, to, &left, &right);
    span(y, from, to, &top, &bottom);
    for (int v = top; v < bottom; ++v)
        for (int u = left; u < right; ++u)
            if (mask[(int64_t)v * from + u] >= MASK_COVERED) return true;
    return false;
}

void mask_fit(const uint8_t *mask, int from, int to, float *out)
{
    for (int y = 0; y < to; ++y)
        for (int x = 0; x < to; ++x) out[(int64_t)y * to + x] = covers(mask, from, to, x, y) ? 1.0f : 0.0f;
}

/* Pixels that are covered of size x size. */
static int64_t count_covered(const uint8_t *mask, int side, int size)
{
    int64_t covered = 0;
    for (int y = 0; y < size; ++y)
        for (int x = 0; x < size; ++x) covered += covers(mask, side, size, x, y);
    return covered;
}

bool mask_check(const uint8_t *mask, int side, int size, error *err)
{
    int64_t all = (int64_t)size * size, covered = count_covered(mask, side, size);
    if (covered == 0)
        return error_set(err, ERROR_USAGE,
                         "the mask covers nothing, so that there is nothing to draw: what is white in it is "
                         "drawn anew, what is black stays");
    if (covered < all) return true;
    if (count_covered(mask, side, side) < (int64_t)side * side)
        return error_set(err, ERROR_USAGE,
                         "the mask touches each of the %d x %d pixels that the model draws, so that nothing "
                         "that stays is seen: leave larger parts black",
                         size, size);
    return error_set(
        err, ERROR_USAGE,
        "the mask covers the whole picture, so that nothing of it stays: draw the caption without "
        "a picture, or leave black what is to stay");
}

void mask_keep(const float *mask, const uint8_t *kept, int side, uint8_t *drawing)
{
    for (int64_t i = 0; i < (int64_t)side * side; ++i)
        if (mask[i] < 0.5f) memcpy(drawing + i * 3, kept + i * 3, 3);
}

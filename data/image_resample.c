/* image_resample.c -- pictures of another size with the levels that Pillow (up to 12) gives.
 * Weights are whole numbers, 2^22 standing for one, and what a row's filter gives is rounded and clipped to
 * 8 bits before the columns' filter reads it: an edge's overshoot past black or white is lost in between.
 * SPDX-License-Identifier: MIT */
#include "data/image_taps.h"
#include <math.h>
#include <stdlib.h>

#define ONE (1 << 22) /* 255 times the largest sum of magnitudes stays below 2^31 */

/* The table's weights as whole numbers, in its order; to be freed. */
static int32_t *whole_weights(const image_taps *t, int out, error *err)
{
    size_t count = (size_t)out * (size_t)t->most;
    int32_t *weight = malloc(count * sizeof *weight);
    if (!weight) return error_null(err, ERROR_MEMORY, "no memory to resize a picture to %d pixels", out);
    for (size_t i = 0; i < count; ++i) weight[i] = (int32_t)lround(t->weight[i] * ONE);
    return weight;
}

static uint8_t to_byte(int32_t sum)
{
    return sum <= 0 ? 0 : sum >> 22 > 255 ? 255 : (uint8_t)(sum >> 22);
}

static void along_rows(const image *in, const image_taps *t, const int32_t *weights, image *out)
{
    for (int y = 0; y < in->height; ++y) {
        const uint8_t *row = in->pixels + (size_t)y * (size_t)in->width * 3;
        uint8_t *to = out->pixels + (size_t)y * (size_t)out->width * 3;
        for (int x = 0; x < out->width; ++x, to += 3) {
            const uint8_t *from = row + 3 * (size_t)t->first[x];
            const int32_t *weight = weights + (size_t)x * (size_t)t->most;
            int32_t red = ONE / 2, green = ONE / 2, blue = ONE / 2;
            for (int tap = 0; tap < t->count[x]; ++tap, from += 3) {
                red += weight[tap] * from[0];
                green += weight[tap] * from[1];
                blue += weight[tap] * from[2];
            }
            to[0] = to_byte(red);
            to[1] = to_byte(green);
            to[2] = to_byte(blue);
        }
    }
}

static void along_columns(const image *in, const image_taps *t, const int32_t *weights, int32_t *sum,
                          image *out)
{
    size_t row = (size_t)out->width * 3;
    for (int y = 0; y < out->height; ++y) {
        for (size_t x = 0; x < row; ++x) sum[x] = ONE / 2;
        for (int tap = 0; tap < t->count[y]; ++tap) {
            int32_t weight = weights[(size_t)y * (size_t)t->most + (size_t)tap];
            const uint8_t *from = in->pixels + row * (size_t)(t->first[y] + tap);
            for (size_t x = 0; x < row; ++x) sum[x] += weight * from[x];
        }
        for (size_t x = 0; x < row; ++x) out->pixels[row * (size_t)y + x] = to_byte(sum[x]);
    }
}

bool image_taps_apply(const image *in, const image_taps *rows, const image_taps *columns, image *out,
                      error *err)
{
    image between = { 0 };
    int32_t *across = whole_weights(rows, out->width, err),
            *down = across ? whole_weights(columns, out->height, err) : NULL,
            *sum = down ? malloc((size_t)out->width * 3 * sizeof *sum) : NULL;
    bool done = sum != NULL;
    if (down && !sum) error_set(err, ERROR_MEMORY, "no memory to resize a row of %d pixels", out->width);
    done = done && image_create(&between, out->width, in->height, err);
    if (done) {
        along_rows(in, rows, across, &between);
        along_columns(&between, columns, down, sum, out);
    }
    image_free(&between);
    free(across);
    free(down);
    free(sum);
    return done;
}

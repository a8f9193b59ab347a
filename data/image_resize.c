/* image_resize.c -- pictures of another size, and cut to a square.  A filter is the product of one along
 * rows and one along columns; the mean of the area is computed in floating point.
 * SPDX-License-Identifier: MIT */
#include "data/image_taps.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *real_weights(const image_taps *t, int out, error *err)
{
    size_t count = (size_t)out * (size_t)t->most;
    float *weight = malloc(count * sizeof *weight);
    if (!weight) return error_null(err, ERROR_MEMORY, "no memory to resize a picture to %d pixels", out);
    for (size_t i = 0; i < count; ++i) weight[i] = (float)t->weight[i];
    return weight;
}

/* A pixel's red, green and blue, so that a tap is one multiplication and one addition of them all. */
typedef float lanes __attribute__((vector_size(16)));

static void spread(const uint8_t *row, int width, lanes *pixels)
{
    for (int x = 0; x < width; ++x, row += 3)
        pixels[x] = (lanes){ (float)row[0], (float)row[1], (float)row[2], 0 };
}

/* One row of `in`; `pixels` has room for it. */
static void along_row(const image *in, int y, const image_taps *t, const float *weights, int width,
                      lanes *pixels, float *out)
{
    spread(in->pixels + (size_t)y * (size_t)in->width * 3, in->width, pixels);
    for (int x = 0; x < width; ++x, out += 3) {
        const float *weight = weights + (size_t)x * (size_t)t->most;
        lanes sum = { 0 };
        for (int tap = 0; tap < t->count[x]; ++tap)
            sum += weight[tap] * pixels[t->first[x] + tap < in->width ? t->first[x] + tap : in->width - 1];
        memcpy(out, &sum, 3 * sizeof *out);
    }
}

static uint8_t to_byte(float value)
{
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)rintf(value);
}

typedef struct work {
    const image_taps *rows, *columns;
    float *across, *down; /* their weights */
    void *pixels;         /* a row of `in` */
    float *ring; /* rows of the new width, as many as a new row is made of at most: row i at i % most */
    float *line;
} work;

static void along_column(const work *w, int height, int y, image *out)
{
    const image_taps *t = w->columns;
    size_t row = (size_t)out->width * 3;
    memset(w->line, 0, row * sizeof *w->line);
    for (int tap = 0; tap < t->count[y]; ++tap) {
        int at = t->first[y] + tap < height ? t->first[y] + tap : height - 1;
        float weight = w->down[(size_t)y * (size_t)t->most + (size_t)tap], *line = w->line;
        const float *from = w->ring + row * (size_t)(at % t->most);
        for (size_t x = 0; x < row; ++x) line[x] += weight * from[x];
    }
    for (size_t x = 0; x < row; ++x) out->pixels[row * (size_t)y + x] = to_byte(w->line[x]);
}

static void resize(const image *in, const work *w, image *out)
{
    size_t row = (size_t)out->width * 3;
    int made = 0;
    for (int y = 0; y < out->height; ++y) {
        int end = w->columns->first[y] + w->columns->count[y];
        for (; made < end && made < in->height; ++made)
            along_row(in, made, w->rows, w->across, out->width, w->pixels,
                      w->ring + row * (size_t)(made % w->columns->most));
        along_column(w, in->height, y, out);
    }
}

static bool apply(const image *in, const image_taps *rows, const image_taps *columns, image *out, error *err)
{
    size_t row = (size_t)out->width * 3;
    work w = { .rows = rows, .columns = columns, .across = real_weights(rows, out->width, err) };
    if (w.across) w.down = real_weights(columns, out->height, err);
    if (posix_memalign(&w.pixels, sizeof(lanes), (size_t)in->width * sizeof(lanes)) != 0) w.pixels = NULL;
    w.ring = malloc(row * (size_t)columns->most * sizeof *w.ring);
    w.line = malloc(row * sizeof *w.line);
    bool done = w.down && w.pixels && w.ring && w.line;
    if (done)
        resize(in, &w, out);
    else if (w.down)
        error_set(err, ERROR_MEMORY, "no memory to resize a picture of %d x %d", in->width, in->height);
    free(w.across);
    free(w.down);
    free(w.pixels);
    free(w.ring);
    free(w.line);
    return done;
}

bool image_resize_area(const image *in, int width, int height, bool align_corners, image *out, error *err)
{
    image_taps rows = { 0 }, columns = { 0 };
    bool done = image_create(out, width, height, err) &&
                image_taps_make_area(&rows, in->width, width, align_corners, err) &&
                image_taps_make_area(&columns, in->height, height, align_corners, err) &&
                apply(in, &rows, &columns, out, err);
    image_taps_free(&rows);
    image_taps_free(&columns);
    if (!done) image_free(out);
    return done;
}

bool image_resize(const image *in, image_filter filter, int width, int height, image *out, error *err)
{
    if (filter == IMAGE_AREA) return image_resize_area(in, width, height, false, out, err);
    image_taps rows = { 0 }, columns = { 0 };
    bool done = image_create(out, width, height, err) &&
                image_taps_make(&rows, filter, in->width, width, err) &&
                image_taps_make(&columns, filter, in->height, height, err) &&
                image_taps_apply(in, &rows, &columns, out, err);
    image_taps_free(&rows);
    image_taps_free(&columns);
    if (!done) image_free(out);
    return done;
}

bool image_resize_lanczos(const image *in, int width, int height, image *out, error *err)
{
    return image_resize(in, IMAGE_LANCZOS, width, height, out, err);
}

bool image_fit(const image *in, int size, image *out, error *err)
{
    int side = in->width < in->height ? in->width : in->height;
    double ratio = (double)size / side;
    double width = rint(ratio * in->width), height = rint(ratio * in->height);
    *out = (image){ 0 };
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return error_set(err, ERROR_FORMAT,
                         "a picture of %d x %d is too long and thin to be fitted to %d pixels", in->width,
                         in->height, size);
    image whole;
    if (!image_resize_lanczos(in, (int)width, (int)height, &whole, err)) return false;
    bool done = image_crop(&whole, (int)rint((whole.width - size) / 2.0),
                           (int)rint((whole.height - size) / 2.0), size, size, out, err);
    image_free(&whole);
    return done;
}

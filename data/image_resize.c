/* image_resize.c -- pictures of another size by mean area, and cut to a square.
 * The filter is the product of a row and a column filter, given as tables of weights per output pixel.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Output pixel i is the sum over j < taps of weight[i * taps + j] times input pixel index[i * taps + j]. */
typedef struct filter {
    int taps;
    int *index;
    float *weight;
} filter;

static bool filter_create(filter *f, int out, int taps, error *err)
{
    f->taps = taps;
    f->index = calloc((size_t)out * (size_t)taps, sizeof *f->index);
    f->weight = calloc((size_t)out * (size_t)taps, sizeof *f->weight);
    if (f->index && f->weight) return true;
    return error_set(err, ERROR_MEMORY, "no memory to resize a picture to %d pixels", out);
}

static void filter_free(filter *f)
{
    free(f->index);
    free(f->weight);
    *f = (filter){ 0 };
}

static int bound(int64_t index, int count)
{
    return index < 0 ? 0 : index >= count ? count - 1 : (int)index;
}

/* TensorFlow's ResizeArea: pixel i covers [i * scale, (i + 1) * scale); pixels beyond the last repeat it. */
static bool area_filter(filter *f, int in, int out, bool align_corners, error *err)
{
    bool aligned = align_corners && in > 1 && out > 1;
    double scale = aligned ? (double)(in - 1) / (double)(out - 1) : (double)in / (double)out;
    if (!filter_create(f, out, (int)ceil(scale) + 2, err)) return false;
    for (int i = 0; i < out; ++i) {
        double begin = i * scale, end = (i + 1) * scale;
        int64_t first = (int64_t)floor(begin);
        for (int tap = 0; tap < f->taps; ++tap) {
            double low = (double)(first + tap), high = low + 1;
            double covered = (high < end ? high : end) - (low > begin ? low : begin);
            f->index[i * f->taps + tap] = bound(first + tap, in);
            f->weight[i * f->taps + tap] = covered > 0 ? (float)(covered / scale) : 0.0f;
        }
    }
    return true;
}

static void along_rows(const image *in, const filter *f, int width, float *out)
{
    for (int y = 0; y < in->height; ++y) {
        const uint8_t *row = in->pixels + (size_t)y * (size_t)in->width * 3;
        for (int x = 0; x < width; ++x) {
            float sum[3] = { 0 };
            for (int tap = 0; tap < f->taps; ++tap) {
                float weight = f->weight[x * f->taps + tap];
                const uint8_t *pixel = row + 3 * f->index[x * f->taps + tap];
                for (int c = 0; c < 3; ++c) sum[c] += weight * (float)pixel[c];
            }
            memcpy(out + ((size_t)y * (size_t)width + (size_t)x) * 3, sum, sizeof sum);
        }
    }
}

static uint8_t to_byte(float value)
{
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)rintf(value);
}

static void along_columns(const float *in, const filter *f, float *line, image *out)
{
    size_t row = (size_t)out->width * 3;
    for (int y = 0; y < out->height; ++y) {
        memset(line, 0, row * sizeof *line);
        for (int tap = 0; tap < f->taps; ++tap) {
            float weight = f->weight[y * f->taps + tap];
            if (weight == 0.0f) continue;
            const float *from = in + row * (size_t)f->index[y * f->taps + tap];
            for (size_t x = 0; x < row; ++x) line[x] += weight * from[x];
        }
        for (size_t x = 0; x < row; ++x) out->pixels[row * (size_t)y + x] = to_byte(line[x]);
    }
}

static bool apply(const image *in, const filter *rows, const filter *columns, image *out, error *err)
{
    size_t row = (size_t)out->width * 3;
    float *between = malloc(row * (size_t)in->height * sizeof *between), *line = malloc(row * sizeof *line);
    bool done = between && line;
    if (done) {
        along_rows(in, rows, out->width, between);
        along_columns(between, columns, line, out);
    } else {
        error_set(err, ERROR_MEMORY, "no memory to resize a picture of %d x %d", in->width, in->height);
    }
    free(between);
    free(line);
    return done;
}

bool image_resize_area(const image *in, int width, int height, bool align_corners, image *out, error *err)
{
    filter rows = { 0 }, columns = { 0 };
    bool done =
        image_create(out, width, height, err) && area_filter(&rows, in->width, width, align_corners, err) &&
        area_filter(&columns, in->height, height, align_corners, err) && apply(in, &rows, &columns, out, err);
    filter_free(&rows);
    filter_free(&columns);
    if (!done) image_free(out);
    return done;
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

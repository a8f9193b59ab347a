/* field.c -- see field.h.
 * SPDX-License-Identifier: MIT */
#include "data/field.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool field_create(field *f, int width, int height, error *err)
{
    *f = (field){ width, height, calloc((size_t)width * (size_t)height * 3, sizeof *f->at) };
    return f->at || error_set(err, ERROR_MEMORY, "no memory for a picture of %d x %d in floating point",
                              width, height);
}

void field_free(field *f)
{
    free(f->at);
    *f = (field){ 0 };
}

static size_t values_of(const field *f)
{
    return (size_t)f->width * (size_t)f->height * 3;
}

bool field_read(field *f, const image *from, error *err)
{
    if (!field_create(f, from->width, from->height, err)) return false;
    for (size_t i = 0; i < values_of(f); ++i) f->at[i] = (float)from->pixels[i];
    return true;
}

static float clipped(float value)
{
    return value <= 0 ? 0 : value >= 255 ? 255 : value;
}

void field_write(const field *f, uint8_t *out)
{
    for (size_t i = 0; i < values_of(f); ++i) out[i] = (uint8_t)rintf(clipped(f->at[i]));
}

void field_clip(field *f)
{
    for (size_t i = 0; i < values_of(f); ++i) f->at[i] = clipped(f->at[i]);
}

/* ---- Convolution ---- */

void field_kernel_gaussian(field_kernel *k, int side, double x, double y, double along, double across,
                           double angle)
{
    CHECK(side > 0 && side <= FIELD_KERNEL && side % 2, "a kernel of %d pixels", side);
    double c = cos(angle), s = sin(angle), sum = 0, weight[FIELD_KERNEL * FIELD_KERNEL];
    for (int i = 0; i < side * side; ++i) {
        double dx = i % side - side / 2 - x, dy = i / side - side / 2 - y;
        double u = c * dx + s * dy, v = c * dy - s * dx;
        weight[i] = exp(-0.5 * (u * u / along + v * v / across));
        sum += weight[i];
    }
    k->side = side;
    for (int i = 0; i < side * side; ++i) k->weight[i] = (float)(weight[i] / sum);
}

/* The pixel that stands for the one at i, which may lie beyond either edge, however far. */
static int mirrored(int i, int size)
{
    int period = 2 * (size - 1);
    if (period == 0) return 0;
    i = abs(i) % period;
    return i < size ? i : period - i;
}

/* The field with a margin of `reach` mirrored pixels on each side. */
static bool widen(const field *f, int reach, field *out, error *err)
{
    if (!field_create(out, f->width + 2 * reach, f->height + 2 * reach, err)) return false;
    for (int y = 0; y < out->height; ++y) {
        const float *from = f->at + (size_t)mirrored(y - reach, f->height) * (size_t)f->width * 3;
        float *to = out->at + (size_t)y * (size_t)out->width * 3;
        for (int x = 0; x < out->width; ++x)
            memcpy(to + (size_t)x * 3, from + (size_t)mirrored(x - reach, f->width) * 3, 3 * sizeof *to);
    }
    return true;
}

bool field_convolve(field *f, const field_kernel *k, error *err)
{
    field wide;
    if (!widen(f, k->side / 2, &wide, err)) return false;
    size_t row = (size_t)f->width * 3, step = (size_t)wide.width * 3;
    memset(f->at, 0, values_of(f) * sizeof *f->at);
    for (int y = 0; y < f->height; ++y)
        for (int tap = 0; tap < k->side * k->side; ++tap) {
            float weight = k->weight[tap], *to = f->at + (size_t)y * row;
            const float *from = wide.at + (size_t)(y + tap / k->side) * step + (size_t)(tap % k->side) * 3;
            if (weight == 0) continue;
            for (size_t x = 0; x < row; ++x) to[x] += weight * from[x];
        }
    field_free(&wide);
    return true;
}

void field_thin(field *f, int step)
{
    int width = (f->width + step - 1) / step, height = (f->height + step - 1) / step;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            memmove(f->at + ((size_t)y * (size_t)width + (size_t)x) * 3,
                    f->at + ((size_t)y * (size_t)f->width + (size_t)x) * (size_t)step * 3, 3 * sizeof *f->at);
    f->width = width;
    f->height = height;
}

/* ---- Resizing ---- */

static double cubic(double x)
{
    const double a = -0.75;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double weight_of(field_filter filter, double distance)
{
    return filter == FIELD_CUBIC ? cubic(distance) : fmax(0, 1 - fabs(distance));
}

/* Of the nearest pixels; what lies before the first is that one. */
static bool nearest_taps(image_taps *t, field_filter filter, int in, int out, error *err)
{
    int reach = filter == FIELD_CUBIC ? 2 : 1;
    *t = (image_taps){ 2 * reach, calloc((size_t)out, sizeof(int)), calloc((size_t)out, sizeof(int)),
                       calloc((size_t)out * (size_t)(2 * reach), sizeof(double)) };
    if (!t->first || !t->count || !t->weight)
        return error_set(err, ERROR_MEMORY, "no memory to resize a picture to %d pixels", out);
    for (int i = 0; i < out; ++i) {
        double at = (i + 0.5) * in / out - 0.5;
        int begin = (int)floor(at) - reach + 1, first = begin < 0 ? 0 : begin;
        t->first[i] = first < in ? first : in - 1;
        t->count[i] = 2 * reach;
        for (int tap = 0; tap < 2 * reach; ++tap) {
            int slot = begin + tap - first;
            t->weight[(size_t)i * (size_t)t->most + (size_t)(slot < 0 ? 0 : slot)] +=
                weight_of(filter, begin + tap - at);
        }
    }
    return true;
}

static bool make_taps(image_taps *t, field_filter filter, int in, int out, error *err)
{
    if (filter == FIELD_SMOOTH) return image_taps_make(t, IMAGE_BICUBIC, in, out, err);
    if (filter == FIELD_AREA && out <= in) return image_taps_make_area(t, in, out, false, err);
    return nearest_taps(t, filter == FIELD_AREA ? FIELD_LINEAR : filter, in, out, err);
}

/* One line of `count` pixels, `step` values apart, `lanes` values of each. */
static void along(const float *in, int size, size_t step, const image_taps *t, int i, size_t lanes,
                  float *out)
{
    memset(out, 0, lanes * sizeof *out);
    for (int tap = 0; tap < t->count[i]; ++tap) {
        int at = t->first[i] + tap < size ? t->first[i] + tap : size - 1;
        float weight = (float)t->weight[(size_t)i * (size_t)t->most + (size_t)tap];
        const float *from = in + (size_t)at * step;
        for (size_t k = 0; k < lanes; ++k) out[k] += weight * from[k];
    }
}

void field_resample(const float *in, int width, int height, const image_taps *rows, const image_taps *columns,
                    int out_width, int out_height, float *between, float *out)
{
    size_t row = (size_t)out_width * 3;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < out_width; ++x)
            along(in + (size_t)y * (size_t)width * 3, width, 3, rows, x, 3,
                  between + (size_t)y * row + (size_t)x * 3);
    for (int y = 0; y < out_height; ++y) along(between, height, row, columns, y, row, out + (size_t)y * row);
}

bool field_resize(field *f, field_filter filter, int width, int height, error *err)
{
    image_taps rows = { 0 }, columns = { 0 };
    field between = { 0 }, out = { 0 };
    bool ok = make_taps(&rows, filter, f->width, width, err) &&
              make_taps(&columns, filter, f->height, height, err) &&
              field_create(&between, width, f->height, err) && field_create(&out, width, height, err);
    if (ok) {
        field_resample(f->at, f->width, f->height, &rows, &columns, width, height, between.at, out.at);
        field_free(f);
        *f = out;
    } else {
        field_free(&out);
    }
    field_free(&between);
    image_taps_free(&rows);
    image_taps_free(&columns);
    return ok;
}

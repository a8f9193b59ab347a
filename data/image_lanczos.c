/* image_lanczos.c -- pictures of another size by Lanczos, with the levels that Pillow (up to 12) gives.
 * Weights are whole numbers, 2^22 standing for one, and what a row's filter gives is rounded and clipped to
 * 8 bits before the columns' filter reads it: an edge's overshoot past black or white is lost in between.
 * SPDX-License-Identifier: MIT */
#include "data/image.h"
#include <math.h>
#include <stdlib.h>

#define LOBES 3
#define ONE   (1 << 22) /* 255 times the largest sum of magnitudes stays below 2^31 */

/* Output pixel i is the sum over j < count[i] of weight[i * taps + j] times input pixel first[i] + j. */
typedef struct filter {
    int taps;
    int *first, *count;
    int32_t *weight;
    double *exact; /* of one output pixel, while the filter is made */
} filter;

static bool filter_create(filter *f, int out, int taps, error *err)
{
    f->taps = taps;
    f->first = calloc((size_t)out, sizeof *f->first);
    f->count = calloc((size_t)out, sizeof *f->count);
    f->weight = calloc((size_t)out * (size_t)taps, sizeof *f->weight);
    f->exact = calloc((size_t)taps, sizeof *f->exact);
    if (f->first && f->count && f->weight && f->exact) return true;
    return error_set(err, ERROR_MEMORY, "no memory to resize a picture to %d pixels", out);
}

static void filter_free(filter *f)
{
    free(f->first);
    free(f->count);
    free(f->weight);
    free(f->exact);
    *f = (filter){ 0 };
}

static double lanczos(double x)
{
    const double pi = 3.14159265358979323846;
    if (x <= -LOBES || x >= LOBES) return 0;
    if (fabs(x) < 1e-12) return 1;
    return LOBES * sin(pi * x) * sin(pi * x / LOBES) / (pi * pi * x * x);
}

/* The weights of output pixel i; what lies beyond the picture's edge is left out, the rest sums to one. */
static void weigh(filter *f, int i, int in, double scale, double wide)
{
    double centre = (i + 0.5) * scale, reach = LOBES * wide, sum = 0;
    int first = centre - reach + 0.5 < 0 ? 0 : (int)(centre - reach + 0.5);
    int last = centre + reach + 0.5 > in ? in : (int)(centre + reach + 0.5);
    f->first[i] = first;
    f->count[i] = last - first;
    for (int tap = 0; tap < last - first; ++tap) {
        f->exact[tap] = lanczos((first + tap - centre + 0.5) / wide);
        sum += f->exact[tap];
    }
    for (int tap = 0; tap < last - first; ++tap)
        f->weight[i * f->taps + tap] = (int32_t)lround(f->exact[tap] / sum * ONE);
}

static bool filter_make(filter *f, int in, int out, error *err)
{
    double scale = (double)in / (double)out, wide = scale < 1 ? 1 : scale;
    if (!filter_create(f, out, (int)ceil(LOBES * wide) * 2 + 1, err)) return false;
    for (int i = 0; i < out; ++i) weigh(f, i, in, scale, wide);
    return true;
}

static uint8_t to_byte(int32_t sum)
{
    return sum <= 0 ? 0 : sum >> 22 > 255 ? 255 : (uint8_t)(sum >> 22);
}

static void along_rows(const image *in, const filter *f, image *out)
{
    for (int y = 0; y < out->height; ++y) {
        const uint8_t *row = in->pixels + (size_t)y * (size_t)in->width * 3;
        uint8_t *to = out->pixels + (size_t)y * (size_t)out->width * 3;
        for (int x = 0; x < out->width; ++x, to += 3) {
            int32_t sum[3] = { ONE / 2, ONE / 2, ONE / 2 };
            for (int tap = 0; tap < f->count[x]; ++tap)
                for (int c = 0; c < 3; ++c)
                    sum[c] += f->weight[x * f->taps + tap] * row[3 * (f->first[x] + tap) + c];
            for (int c = 0; c < 3; ++c) to[c] = to_byte(sum[c]);
        }
    }
}

static void along_columns(const image *in, const filter *f, int32_t *sum, image *out)
{
    size_t row = (size_t)out->width * 3;
    for (int y = 0; y < out->height; ++y) {
        for (size_t x = 0; x < row; ++x) sum[x] = ONE / 2;
        for (int tap = 0; tap < f->count[y]; ++tap) {
            int32_t weight = f->weight[y * f->taps + tap];
            const uint8_t *from = in->pixels + row * (size_t)(f->first[y] + tap);
            for (size_t x = 0; x < row; ++x) sum[x] += weight * from[x];
        }
        for (size_t x = 0; x < row; ++x) out->pixels[row * (size_t)y + x] = to_byte(sum[x]);
    }
}

static bool apply(const image *in, const filter *rows, const filter *columns, image *out, error *err)
{
    image between = { 0 };
    int32_t *sum = malloc((size_t)out->width * 3 * sizeof *sum);
    bool done =
        sum ? true : error_set(err, ERROR_MEMORY, "no memory to resize a row of %d pixels", out->width);
    done = done && image_create(&between, out->width, in->height, err);
    if (done) {
        along_rows(in, rows, &between);
        along_columns(&between, columns, sum, out);
    }
    image_free(&between);
    free(sum);
    return done;
}

bool image_resize_lanczos(const image *in, int width, int height, image *out, error *err)
{
    filter rows = { 0 }, columns = { 0 };
    bool done = image_create(out, width, height, err) && filter_make(&rows, in->width, width, err) &&
                filter_make(&columns, in->height, height, err) && apply(in, &rows, &columns, out, err);
    filter_free(&rows);
    filter_free(&columns);
    if (!done) image_free(out);
    return done;
}

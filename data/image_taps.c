/* image_taps.c -- see image_taps.h.
 * SPDX-License-Identifier: MIT */
#include "data/image_taps.h"
#include <math.h>
#include <stdlib.h>

static const double pi = 3.14159265358979323846;

static bool create(image_taps *t, int out, int most, error *err)
{
    t->most = most;
    t->first = calloc((size_t)out, sizeof *t->first);
    t->count = calloc((size_t)out, sizeof *t->count);
    t->weight = calloc((size_t)out * (size_t)most, sizeof *t->weight);
    if (t->first && t->count && t->weight) return true;
    return error_set(err, ERROR_MEMORY, "no memory to resize a picture to %d pixels", out);
}

void image_taps_free(image_taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
    *t = (image_taps){ 0 };
}

/* ---- Kernels: of the distance from the output pixel's centre, in input pixels ---- */

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double triangle(double x)
{
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

static double hamming(double x)
{
    x = fabs(x);
    if (x < 1e-12) return 1;
    return x < 1 ? sin(pi * x) / (pi * x) * (0.54 + 0.46 * cos(pi * x)) : 0;
}

/* Keys 1981 with a = -1/2. */
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double lanczos(double x)
{
    enum { LOBES = 3 };
    if (x <= -LOBES || x >= LOBES) return 0;
    if (fabs(x) < 1e-12) return 1;
    return LOBES * sin(pi * x) * sin(pi * x / LOBES) / (pi * pi * x * x);
}

static const struct {
    double (*weight)(double);
    double reach;
} kernels[IMAGE_FILTERS] = {
    [IMAGE_BOX] = { box, 0.5 },     [IMAGE_BILINEAR] = { triangle, 1 }, [IMAGE_HAMMING] = { hamming, 1 },
    [IMAGE_BICUBIC] = { cubic, 2 }, [IMAGE_LANCZOS] = { lanczos, 3 },
};

/* ---- Tables ---- */

static void weigh(image_taps *t, image_filter filter, int i, int in, double scale)
{
    double wide = scale < 1 ? 1 : scale, centre = (i + 0.5) * scale, reach = kernels[filter].reach * wide;
    double *weight = t->weight + (size_t)i * (size_t)t->most, sum = 0;
    int first = centre - reach + 0.5 < 0 ? 0 : (int)(centre - reach + 0.5);
    int last = centre + reach + 0.5 > in ? in : (int)(centre + reach + 0.5);
    t->first[i] = first;
    t->count[i] = last - first;
    for (int tap = 0; tap < last - first; ++tap) {
        weight[tap] = kernels[filter].weight((first + tap - centre + 0.5) / wide);
        sum += weight[tap];
    }
    for (int tap = 0; tap < last - first; ++tap) weight[tap] /= sum;
}

/* Pillow steps along the row, and so do we: elsewhere the sums round otherwise. */
static void choose_nearest(image_taps *t, int in, int out, double scale)
{
    double at = scale * 0.5;
    for (int i = 0; i < out; ++i, at += scale) {
        t->first[i] = at >= in ? in - 1 : (int)at;
        t->count[i] = 1;
        t->weight[i] = 1;
    }
}

bool image_taps_make(image_taps *t, image_filter filter, int in, int out, error *err)
{
    double scale = (double)in / (double)out, wide = scale < 1 ? 1 : scale;
    CHECK(filter > IMAGE_AREA && filter < IMAGE_FILTERS, "filter %d", (int)filter);
    if (filter == IMAGE_NEAREST) {
        if (!create(t, out, 1, err)) return false;
        choose_nearest(t, in, out, scale);
        return true;
    }
    if (!create(t, out, (int)ceil(kernels[filter].reach * wide) * 2 + 1, err)) return false;
    for (int i = 0; i < out; ++i) weigh(t, filter, i, in, scale);
    return true;
}

/* Pixel i covers [i * scale, (i + 1) * scale). */
bool image_taps_make_area(image_taps *t, int in, int out, bool align_corners, error *err)
{
    bool aligned = align_corners && in > 1 && out > 1;
    double scale = aligned ? (double)(in - 1) / (double)(out - 1) : (double)in / (double)out;
    if (!create(t, out, (int)ceil(scale) + 2, err)) return false;
    for (int i = 0; i < out; ++i) {
        double begin = i * scale, end = (i + 1) * scale, *weight = t->weight + (size_t)i * (size_t)t->most;
        t->first[i] = (int)floor(begin);
        for (int tap = 0; tap < t->most; ++tap) {
            double low = t->first[i] + tap, high = low + 1;
            double covered = (high < end ? high : end) - (low > begin ? low : begin);
            if (covered <= 0) continue;
            weight[tap] = covered / scale;
            t->count[i] = tap + 1;
        }
    }
    return true;
}

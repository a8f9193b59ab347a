/* degrade_bsr.c -- see degrade_bsr.h.  Numbers are those of BSRGAN (arXiv 2103.14006) as LDM uses them; what
 * differs: a shifted kernel is computed where it stands instead of interpolated, and noise that is coloured
 * alike has a covariance, where theirs may have none.
 * SPDX-License-Identifier: MIT */
#include "data/degrade_bsr.h"
#include <math.h>
#include <stdlib.h>

static const double pi = 3.14159265358979323846;

static double uniform(const philox *d, int draw, double low, double high)
{
    return low + (high - low) * (double)philox_uniform(d, (uint32_t)draw);
}

static int whole(const philox *d, int draw, int low, int high)
{
    return high <= low ? low : low + (int)philox_below(d, (uint32_t)draw, (uint32_t)(high - low) + 1);
}

static field_filter filter_of(const philox *d, int draw)
{
    static const field_filter filters[] = { FIELD_LINEAR, FIELD_CUBIC, FIELD_AREA };
    return filters[whole(d, draw, 0, 2)];
}

void degrade_order(const philox *d, degrade_step order[DEGRADE_STEPS])
{
    int shrink = 0, resize = 0;
    for (int i = 0; i < DEGRADE_STEPS; ++i) order[i] = (degrade_step)i;
    for (int i = DEGRADE_STEPS - 1; i > 0; --i) {
        int other = whole(d, DEGRADE_DRAW_ORDER + i - 1, 0, i);
        degrade_step kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (int i = 0; i < DEGRADE_STEPS; ++i) {
        if (order[i] == DEGRADE_SHRINK) shrink = i;
        if (order[i] == DEGRADE_RESIZE) resize = i;
    }
    order[shrink < resize ? shrink : resize] = DEGRADE_SHRINK;
    order[shrink < resize ? resize : shrink] = DEGRADE_RESIZE;
}

void degrade_blur_kernel(const philox *d, int which, int scale, double width, field_kernel *k)
{
    int first = DEGRADE_DRAW_BLUR + 5 * which, side = 2 * whole(d, first + 1, 2, 11) + 3;
    if (uniform(d, first, 0, 1) < 0.5) {
        double most = (4.0 + scale) * width * width;
        field_kernel_gaussian(k, side, 0, 0, uniform(d, first + 2, 0, most), uniform(d, first + 3, 0, most),
                              uniform(d, first + 4, 0, pi));
    } else {
        double sigma = uniform(d, first + 2, 0, 2.0 + 0.2 * scale) * width;
        field_kernel_gaussian(k, side, 0, 0, sigma * sigma, sigma * sigma, 0);
    }
}

static bool blur(field *f, int which, int scale, double width, const philox *d, error *err)
{
    field_kernel k;
    degrade_blur_kernel(d, which, scale, width, &k);
    return field_convolve(f, &k, err);
}

static int at_least_one(double side)
{
    return side < 1 ? 1 : (int)side;
}

/* The pixels that are kept stand for the middle of those that are not. */
static bool thin_out(field *f, int scale, double sigma, error *err)
{
    field_kernel k;
    double middle = 0.5 * (scale - 1);
    field_kernel_gaussian(&k, FIELD_KERNEL, middle, middle, sigma * sigma, sigma * sigma, 0);
    if (!field_convolve(f, &k, err)) return false;
    field_thin(f, scale);
    return true;
}

bool degrade_shrink(field *f, int scale, const philox *d, error *err)
{
    const int draw = DEGRADE_DRAW_SHRINK;
    if (uniform(d, draw, 0, 1) >= 0.75)
        return thin_out(f, scale, uniform(d, draw + 1, 0.1, 0.6 * scale), err);
    double by = uniform(d, draw + 1, 1, 2.0 * scale);
    bool ok = field_resize(f, filter_of(d, draw + 2), at_least_one(f->width / by),
                           at_least_one(f->height / by), err);
    if (ok) field_clip(f);
    return ok;
}

/* ---- Noise ---- */

/* Three vectors of length 1, each at right angles to the others, of random numbers. */
static void draw_axes(const philox *d, int draw, double axis[3][3])
{
    for (int i = 0; i < 3; ++i) {
        double length = 0;
        for (int c = 0; c < 3; ++c) axis[i][c] = uniform(d, draw + 3 * i + c, 0, 1);
        for (int k = 0; k < i; ++k) {
            double dot = 0;
            for (int c = 0; c < 3; ++c) dot += axis[i][c] * axis[k][c];
            for (int c = 0; c < 3; ++c) axis[i][c] -= dot * axis[k][c];
        }
        for (int c = 0; c < 3; ++c) length += axis[i][c] * axis[i][c];
        for (int c = 0; c < 3; ++c) axis[i][c] /= sqrt(fmax(length, 1e-30));
    }
}

/* How much of three independent numbers each channel has: noise of its own, one for all, or mixed. */
static void draw_mix(const degradation *how, const philox *d, float mix[3][3])
{
    const int draw = DEGRADE_DRAW_NOISE;
    double kind = uniform(d, draw, 0, 1), axis[3][3];
    double level = whole(d, draw + 1, (int)ceil(how->noise_least), (int)how->noise_most);
    draw_axes(d, draw + 5, axis);
    for (int c = 0; c < 3; ++c)
        for (int k = 0; k < 3; ++k) {
            double share = how->noise_most * axis[k][c] * sqrt(uniform(d, draw + 2 + k, 0, 1));
            if (kind > 0.6) share = c == k ? level : 0;
            if (kind < 0.4) share = k == 0 ? level : 0;
            mix[c][k] = (float)share;
        }
}

void degrade_noise(field *f, const degradation *how, const philox *d)
{
    float mix[3][3];
    draw_mix(how, d, mix);
    for (int64_t i = 0; i < (int64_t)f->width * f->height; ++i) {
        float z[3];
        for (int k = 0; k < 3; ++k) z[k] = philox_normal(d, (uint32_t)(DEGRADE_DRAWS + 3 * i + k));
        for (int c = 0; c < 3; ++c)
            f->at[3 * i + c] += mix[c][0] * z[0] + mix[c][1] * z[1] + mix[c][2] * z[2];
    }
    field_clip(f);
}

/* ---- JPEG ---- */

bool degrade_jpeg(field *f, int quality, error *err)
{
    image picture, again;
    void *bytes = NULL;
    size_t size;
    if (!image_create(&picture, f->width, f->height, err)) return false;
    field_write(f, picture.pixels);
    bool ok = image_encode_jpeg(&picture, quality, &bytes, &size, err) &&
              image_decode(bytes, size, "a picture as JPEG", &again, err);
    if (ok) {
        field_free(f);
        ok = field_read(f, &again, err);
        image_free(&again);
    }
    image_free(&picture);
    free(bytes);
    return ok;
}

/* ---- All of it ---- */

/* A quarter of those that are shrunk by four are halved first. */
static bool halve(field *f, int *scale, const philox *d, error *err)
{
    if (*scale != 4 || uniform(d, DEGRADE_DRAW_HALVE, 0, 1) >= 0.25) return true;
    int by = whole(d, DEGRADE_DRAW_HALVE_BY, 0, 5); /* half by one, half by any of the others */
    field_filter filter =
        by < 3 ? (field_filter[]){ FIELD_LINEAR, FIELD_CUBIC, FIELD_AREA }[by] : FIELD_SMOOTH;
    if (!field_resize(f, filter, f->width / 2, f->height / 2, err)) return false;
    field_clip(f);
    *scale = 2;
    return true;
}

static bool compress(field *f, const degradation *how, int draw, const philox *d, error *err)
{
    return degrade_jpeg(f, whole(d, draw, how->jpeg_least, how->jpeg_most), err);
}

static bool take_step(field *f, degrade_step step, int scale, int size, const degradation *how,
                      const philox *d, error *err)
{
    switch (step) {
    case DEGRADE_BLUR_ONE:
        return blur(f, 0, scale, how->blurs, d, err);
    case DEGRADE_BLUR_TWO:
        return blur(f, 1, scale, how->blurs, d, err);
    case DEGRADE_SHRINK:
        return degrade_shrink(f, scale, d, err);
    case DEGRADE_RESIZE:
        if (!field_resize(f, filter_of(d, DEGRADE_DRAW_LAST), size, size, err)) return false;
        field_clip(f);
        return true;
    case DEGRADE_NOISE:
        degrade_noise(f, how, d);
        return true;
    case DEGRADE_JPEG:
        return uniform(d, DEGRADE_DRAW_JPEG, 0, 1) >= 0.9 || compress(f, how, DEGRADE_DRAW_JPEG + 1, d, err);
    case DEGRADE_STEPS:
        break;
    }
    return true;
}

bool degrade_bsr(field *f, int size, const degradation *how, const philox *d, error *err)
{
    degrade_step order[DEGRADE_STEPS];
    int scale = f->width / size;
    if (!halve(f, &scale, d, err)) return false;
    degrade_order(d, order);
    for (int i = 0; i < DEGRADE_STEPS; ++i)
        if (!take_step(f, order[i], scale, size, how, d, err)) return false;
    return compress(f, how, DEGRADE_DRAW_JPEG + 2, d, err);
}

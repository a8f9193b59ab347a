/* fft_check.c -- whether a library transforms right, on this device and at these sizes.
 * Every number of every result counts, at the cost of a few passes: with u and v random,
 *   sum over k, l of u[k] v[l] Y[k][l]  =  sum over y, x of U[y] V[x] X[y][x],
 * where U and V are the transforms of u and v, made in double precision as they are defined.
 * SPDX-License-Identifier: MIT */
#include "host/device/fft_provider.h"
#include "host/base/philox.h"

#include <math.h>
#include <stdlib.h>

/* Float transforms are off by some 1e-7 in the root of the mean square; a table of sines in half precision
 * shows at 1e-4, one wrong number among a million at 1e-3. */
#define TOLERANCE 2e-5

typedef struct complex_double {
    double re, im;
} complex_double;

typedef struct trial {
    const fft_desc *desc;
    float *in, *out;
    complex_double *u, *v; /* [height], [width / 2 + 1] */
    complex_double *y, *x; /* their transforms: [height], [width] */
} trial;

static float draw(const char *stream, int64_t i)
{
    const philox p = { .seed = 1, .stream = philox_stream(stream) };
    return 2 * philox_uniform(&p, (uint32_t)i) - 1;
}

static void draw_all(complex_double *to, int64_t count, const char *stream)
{
    for (int64_t i = 0; i < count; ++i)
        to[i] = (complex_double){ (double)draw(stream, 2 * i), (double)draw(stream, 2 * i + 1) };
}

static void add_product(complex_double *sum, complex_double a, complex_double b)
{
    sum->re += a.re * b.re - a.im * b.im;
    sum->im += a.re * b.im + a.im * b.re;
}

/* to[n] = sum over k < terms of from[k] exp(-2 pi i k n / size) */
static void transform(const complex_double *from, int64_t terms, complex_double *to, int64_t size)
{
    const double turn = -2 * acos(-1) / (double)size;
    for (int64_t n = 0; n < size; ++n) {
        to[n] = (complex_double){ 0, 0 };
        for (int64_t k = 0; k < terms; ++k) {
            const double a = turn * (double)(k * n % size);
            add_product(&to[n], from[k], (complex_double){ cos(a), sin(a) });
        }
    }
}

static void trial_free(trial *t)
{
    free(t->in);
    free(t->out);
    free(t->u);
    free(t->v);
    free(t->y);
    free(t->x);
}

static bool trial_make(trial *t, const fft_desc *f, error *err)
{
    const int64_t columns = fft_columns(f), values = fft_in_bytes(f) / 4;
    const size_t one = sizeof(complex_double);
    *t = (trial){ .desc = f,
                  .in = malloc((size_t)fft_in_bytes(f)),
                  .out = malloc((size_t)fft_out_bytes(f)),
                  .u = malloc((size_t)f->height * one),
                  .v = malloc((size_t)columns * one),
                  .y = malloc((size_t)f->height * one),
                  .x = malloc((size_t)f->width * one) };
    if (!t->in || !t->out || !t->u || !t->v || !t->y || !t->x)
        return error_set(err, ERROR_MEMORY, "out of memory for a test of transforms");
    for (int64_t i = 0; i < values; ++i) t->in[i] = draw("fft.in", i);
    draw_all(t->u, f->height, "fft.u");
    draw_all(t->v, columns, "fft.v");
    transform(t->u, f->height, t->y, f->height);
    transform(t->v, columns, t->x, f->width);
    return true;
}

/* Not a number stands where the library writes nothing. */
static bool trial_run(const trial *t, device *d, const fft_provider *by, void *state, error *err)
{
    const int64_t in_bytes = fft_in_bytes(t->desc), out_bytes = fft_out_bytes(t->desc);
    device_buffer *in = device_buffer_create(d, in_bytes, err),
                  *out = in ? device_buffer_create(d, out_bytes, err) : NULL;
    device_launches *list = out ? device_launches_create(d, err) : NULL;
    const bool ok = list && device_write(d, in, 0, t->in, in_bytes, err) &&
                    device_fill(d, out, 0, out_bytes, 0x7fffffff, err) &&
                    by->record(state, list, "fft_check", in, out, err) &&
                    device_launches_run(list, 0, device_launches_count(list), err) &&
                    device_read(d, out, 0, t->out, out_bytes, err);
    device_launches_destroy(list);
    device_buffer_destroy(out);
    device_buffer_destroy(in);
    return ok;
}

static complex_double wanted(const trial *t, int64_t n)
{
    complex_double sum = { 0, 0 };
    for (int64_t y = 0; y < t->desc->height; ++y) {
        const float *row = t->in + (n * t->desc->height + y) * t->desc->width;
        complex_double part = { 0, 0 };
        for (int64_t x = 0; x < t->desc->width; ++x) {
            part.re += (double)row[x] * t->x[x].re;
            part.im += (double)row[x] * t->x[x].im;
        }
        add_product(&sum, part, t->y[y]);
    }
    return sum;
}

static complex_double given(const trial *t, int64_t n)
{
    const int64_t columns = fft_columns(t->desc);
    complex_double sum = { 0, 0 };
    for (int64_t k = 0; k < t->desc->height; ++k) {
        const float *row = t->out + (n * t->desc->height + k) * columns * 2;
        complex_double part = { 0, 0 };
        for (int64_t l = 0; l < columns; ++l)
            add_product(&part, (complex_double){ (double)row[2 * l], (double)row[2 * l + 1] }, t->v[l]);
        add_product(&sum, part, t->u[k]);
    }
    return sum;
}

/* Against what such a sum is in the root of the mean square: 1/3 for each X, 2/3 for each u and v. */
static bool trial_compare(const trial *t, error *err)
{
    const fft_desc *f = t->desc;
    const double rows = (double)f->height, columns = (double)fft_columns(f),
                 usual = sqrt(rows * columns * rows * (double)f->width / 3) * 2 / 3;
    for (int64_t n = 0; n < f->count; ++n) {
        const complex_double want = wanted(t, n), got = given(t, n);
        const double off = hypot(got.re - want.re, got.im - want.im) / usual;
        if (!(off <= TOLERANCE))
            return error_set(err, ERROR_DEVICE, "transform %lld of %lld of %lld x %lld is off by %.3g",
                             (long long)n + 1, (long long)f->count, (long long)f->height, (long long)f->width,
                             off);
    }
    return true;
}

bool fft_check(device *d, const fft_desc *desc, const fft_provider *by, void *state, error *err)
{
    trial t;
    const bool ok = trial_make(&t, desc, err) && trial_run(&t, d, by, state, err) && trial_compare(&t, err);
    trial_free(&t);
    return ok;
}

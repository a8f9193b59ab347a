/* gemm_reference.h -- what a GEMM descriptor means, computed one element at a time in double precision.
 * To be included by one test after cmocka.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_GEMM_REFERENCE_H
#define DALLE_CL_TESTS_GEMM_REFERENCE_H

#include "host/base/philox.h"
#include "host/device/device.h"
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

typedef struct host_array {
    dtype type;
    int64_t count;
    unsigned char *bytes;
} host_array;

static inline host_array array_make(dtype type, int64_t count, uint32_t stream)
{
    host_array h = { type, count, malloc((size_t)(count + 16) * dtype_bytes(type)) };
    assert_non_null(h.bytes);
    const philox p = { 7, 0, stream };
    for (int64_t i = 0; i < count + 16; ++i)
        dtype_store(type, h.bytes, i, 2.0f * philox_uniform(&p, (uint32_t)i) - 1.0f);
    return h;
}

static inline double element(const gemm_operand *o, const host_array *h, int64_t row, int64_t column,
                             int64_t base)
{
    if (!o->image.kernel)
        return (double)dtype_load(h->type, h->bytes, base + row * o->row + column * o->column);
    const gemm_image *g = &o->image;
    const int64_t c = column % g->channels, kx = column / g->channels % g->kernel,
                  ky = column / g->channels / g->kernel;
    const int64_t x = row % g->width + kx - g->kernel / 2,
                  y = row / g->width % g->height + ky - g->kernel / 2;
    const int64_t picture = row / g->width / g->height;
    if (x < 0 || y < 0 || x >= g->width || y >= g->height) return 0.0;
    return (double)dtype_load(h->type, h->bytes,
                              base + ((picture * g->height + y) * g->width + x) * g->channels + c);
}

static double activate(gemm_activation f, double v)
{
    if (f == GEMM_RELU) return v > 0.0 ? v : 0.0;
    if (f == GEMM_GELU) return 0.5 * v * (1.0 + erf(v * 0.70710678118654752));
    return v;
}

static double slope(gemm_activation f, double v)
{
    if (f == GEMM_RELU) return v > 0.0 ? 1.0 : 0.0;
    if (f == GEMM_GELU)
        return 0.5 * (1.0 + erf(v * 0.70710678118654752)) + v * 0.39894228040143268 * exp(-0.5 * v * v);
    return 1.0;
}

/* What a product reads; the last two lie as C does. */
enum { A, B, C, BIAS, POINT, RESIDUAL, ARRAYS };

static inline double at_place(const host_array *h, int64_t i)
{
    return (double)dtype_load(h->type, h->bytes, i);
}

/* Writes C and the pre-activation as doubles, at their elements' places; places outside C stay NaN. */
static inline void reference(const gemm_desc *s, const host_array arrays[ARRAYS], double *c, double *pre)
{
    for (int64_t z = 0; z < s->batch[0] * s->batch[1]; ++z) {
        const int64_t outer = z / s->batch[1], inner = z % s->batch[1];
        const int64_t a = outer * s->a.batch[0] + inner * s->a.batch[1];
        const int64_t b = outer * s->b.batch[0] + inner * s->b.batch[1];
        for (int64_t i = 0; i < s->m; ++i)
            for (int64_t j = 0; j < s->n; ++j) {
                double sum = 0.0;
                for (int64_t q = 0; q < s->k; ++q)
                    sum += element(&s->a, &arrays[A], i, q, a) * element(&s->b, &arrays[B], q, j, b);
                const int64_t at =
                    outer * s->c.batch[0] + inner * s->c.batch[1] + i * s->c.row + j * s->c.column;
                if (s->bias) sum += at_place(&arrays[BIAS], j);
                sum *= (double)s->alpha;
                pre[at] = sum;
                c[at] = activate(s->activation, sum);
                if (s->slope) c[at] *= slope(s->slope, at_place(&arrays[POINT], at));
                if (s->residual) c[at] += at_place(&arrays[RESIDUAL], at);
                if (s->accumulate) c[at] += at_place(&arrays[C], at);
            }
    }
}

/* ---- Descriptors ---- */

typedef enum layout { ROWS, COLUMNS, SPACED } layout; /* row-major, column-major, gaps in both directions */

static inline gemm_operand matrix(dtype type, layout how, int64_t rows, int64_t columns)
{
    gemm_operand o = { .type = type };
    if (how == ROWS) {
        o.row = columns;
        o.column = 1;
    } else if (how == COLUMNS) {
        o.row = 1;
        o.column = rows;
    } else {
        o.row = 2 * columns + 3;
        o.column = 2;
    }
    return o;
}

/* Elements from the operand's first to past its last. */
static inline int64_t extent(const gemm_operand *o, int64_t rows, int64_t columns, const int64_t batch[2])
{
    const int64_t last =
        o->image.kernel ? rows * o->image.channels - 1 : (rows - 1) * o->row + (columns - 1) * o->column;
    return last + (batch[0] - 1) * o->batch[0] + (batch[1] - 1) * o->batch[1] + 1;
}

static inline gemm_desc plain_desc(int64_t m, int64_t n, int64_t k, dtype type)
{
    gemm_desc s = { .m = m, .n = n, .k = k, .batch = { 1, 1 }, .alpha = 1.0f, .bias_type = DTYPE_F32 };
    s.a = matrix(type, ROWS, m, k);
    s.b = matrix(type, ROWS, k, n);
    s.c = matrix(type, ROWS, m, n);
    return s;
}

static inline gemm_operand image(dtype type, int kernel, int height, int width, int channels)
{
    return (gemm_operand){ .type = type, .image = { kernel, height, width, channels } };
}

#endif

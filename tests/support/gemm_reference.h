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
    if (!gemm_is_image(o))
        return (double)dtype_load(h->type, h->bytes, base + row * o->row + column * o->column);
    const gemm_image *g = &o->image;
    const window *w = &g->window;
    const int64_t down = window_places(w, 0, g->height), across = window_places(w, 1, g->width);
    const int64_t c = column % g->channels, kx = column / g->channels % w->size[1],
                  ky = column / g->channels / w->size[1];
    const int64_t x = row % across * w->stride[1] + kx - w->before[1],
                  y = row / across % down * w->stride[0] + ky - w->before[0];
    const int64_t picture = row / across / down;
    if (x < 0 || y < 0 || x >= g->width || y >= g->height) return 0.0;
    return (double)dtype_load(h->type, h->bytes,
                              base + ((picture * g->height + y) * g->width + x) * g->channels + c);
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
                c[at] = activation_value(s->activation, sum);
                if (s->slope) c[at] *= activation_slope(s->slope, at_place(&arrays[POINT], at));
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
    const int64_t last = gemm_is_image(o) ? gemm_image_pixels(&o->image, rows) * o->image.channels - 1
                                          : (rows - 1) * o->row + (columns - 1) * o->column;
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
    return (gemm_operand){ .type = type, .image = gemm_image_same(kernel, height, width, channels) };
}

#endif

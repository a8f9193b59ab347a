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

static host_array array_make(dtype type, int64_t count, uint32_t stream)
{
    host_array h = { type, count, malloc((size_t)(count + 16) * dtype_bytes(type)) };
    assert_non_null(h.bytes);
    const philox p = { 7, 0, stream };
    for (int64_t i = 0; i < count + 16; ++i)
        dtype_store(type, h.bytes, i, 2.0f * philox_uniform(&p, (uint32_t)i) - 1.0f);
    return h;
}

static double element(const gemm_operand *o, const host_array *h, int64_t row, int64_t column, int64_t base)
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

/* Writes C and the pre-activation as doubles, at their elements' places; places outside C stay NaN. */
static void reference(const gemm_desc *s, const host_array arrays[4], double *c, double *pre)
{
    for (int64_t z = 0; z < s->batch[0] * s->batch[1]; ++z) {
        const int64_t outer = z / s->batch[1], inner = z % s->batch[1];
        const int64_t a = outer * s->a.batch[0] + inner * s->a.batch[1];
        const int64_t b = outer * s->b.batch[0] + inner * s->b.batch[1];
        for (int64_t i = 0; i < s->m; ++i)
            for (int64_t j = 0; j < s->n; ++j) {
                double sum = 0.0;
                for (int64_t q = 0; q < s->k; ++q)
                    sum += element(&s->a, &arrays[0], i, q, a) * element(&s->b, &arrays[1], q, j, b);
                const int64_t at =
                    outer * s->c.batch[0] + inner * s->c.batch[1] + i * s->c.row + j * s->c.column;
                sum *= (double)s->alpha;
                if (s->bias) sum += (double)dtype_load(s->bias_type, arrays[3].bytes, j);
                pre[at] = sum;
                c[at] = activate(s->activation, sum);
                if (s->accumulate) c[at] += (double)dtype_load(arrays[2].type, arrays[2].bytes, at);
            }
    }
}

#endif

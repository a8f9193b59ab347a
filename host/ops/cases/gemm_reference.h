/* gemm_reference.h -- what a GEMM descriptor means, computed one element at a time in double precision; for
 * the tests of the products' providers and for their benchmark.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_OPS_CASES_GEMM_REFERENCE_H
#define DALLE_CL_OPS_CASES_GEMM_REFERENCE_H

#include "host/device/device.h"
#include <math.h>

/* What a product reads; the last two lie as C does. */
enum { GEMM_A, GEMM_B, GEMM_C, GEMM_BIAS, GEMM_POINT, GEMM_RESIDUAL, GEMM_ARRAYS };

typedef struct gemm_array {
    dtype type;
    int64_t count;
    unsigned char *bytes; /* NULL: not read */
} gemm_array;

/* Elements from the operand's first to past its last. */
static inline int64_t gemm_reference_extent(const gemm_operand *o, int64_t rows, int64_t columns,
                                            const int64_t batch[2])
{
    const int64_t last = gemm_is_image(o) ? gemm_image_pixels(&o->image, rows) * o->image.channels - 1
                                          : (rows - 1) * o->row + (columns - 1) * o->column;
    return last + (batch[0] - 1) * o->batch[0] + (batch[1] - 1) * o->batch[1] + 1;
}

static inline double gemm_reference_place(const gemm_array *h, int64_t i)
{
    return (double)dtype_load(h->type, h->bytes, i);
}

/* Element (row, column) of an operand that starts at `base`, an image's border being 0. */
static inline double gemm_reference_operand(const gemm_operand *o, const gemm_array *h, int64_t row,
                                            int64_t column, int64_t base)
{
    if (!gemm_is_image(o)) return gemm_reference_place(h, base + row * o->row + column * o->column);
    const gemm_image *g = &o->image;
    const window *w = &g->window;
    const int64_t down = window_places(w, 0, g->height), across = window_places(w, 1, g->width);
    const int64_t c = column % g->channels, kx = column / g->channels % w->size[1],
                  ky = column / g->channels / w->size[1];
    const int64_t x = row % across * w->stride[1] + kx - w->before[1],
                  y = row / across % down * w->stride[0] + ky - w->before[0];
    const int64_t picture = row / across / down;
    if (x < 0 || y < 0 || x >= g->width || y >= g->height) return 0.0;
    return gemm_reference_place(h, base + ((picture * g->height + y) * g->width + x) * g->channels + c);
}

/* An element of C: its place, its value before the activation, and its value. */
typedef struct gemm_element {
    int64_t at;
    double before, value;
} gemm_element;

static inline gemm_element gemm_reference_element(const gemm_desc *s, const gemm_array arrays[GEMM_ARRAYS],
                                                  int64_t batch, int64_t row, int64_t column)
{
    const int64_t outer = batch / s->batch[1], inner = batch % s->batch[1];
    const int64_t a = outer * s->a.batch[0] + inner * s->a.batch[1];
    const int64_t b = outer * s->b.batch[0] + inner * s->b.batch[1];
    gemm_element e = { .at = outer * s->c.batch[0] + inner * s->c.batch[1] + row * s->c.row +
                             column * s->c.column };
    double sum = 0.0;
    for (int64_t q = 0; q < s->k; ++q)
        sum += gemm_reference_operand(&s->a, &arrays[GEMM_A], row, q, a) *
               gemm_reference_operand(&s->b, &arrays[GEMM_B], q, column, b);
    if (s->bias) sum += gemm_reference_place(&arrays[GEMM_BIAS], column);
    e.before = sum * (double)s->alpha;
    e.value = activation_value(s->activation, e.before);
    if (s->slope) e.value *= activation_slope(s->slope, gemm_reference_place(&arrays[GEMM_POINT], e.at));
    if (s->residual) e.value += gemm_reference_place(&arrays[GEMM_RESIDUAL], e.at);
    if (s->accumulate) e.value += gemm_reference_place(&arrays[GEMM_C], e.at);
    return e;
}

#endif

/* fft_products.c -- Fourier transforms as two matrix products, with tables of cosines and sines.
 *   along x:  T = X R,  for each row of X two rows, T and -iT, of width / 2 + 1 complex numbers;
 *   along y:  Y = sum over y of cos T + sin (-iT),  one product of [height][2 height] for each matrix.
 * All is real arithmetic, exact but for rounding at every size, and as fast as the device multiplies; a fast
 * transform needs fewer operations from some hundred pixels on.
 * SPDX-License-Identifier: MIT */
#include "host/device/fft_provider.h"

#include <math.h>
#include <stdlib.h>

typedef struct products {
    fft_desc desc;
    gemm_plan *along_x, *along_y;
    device_buffer *x_table, *y_table, *between, *workspace;
} products;

static bool products_supports(device *d, const fft_desc *desc)
{
    (void)d;
    (void)desc;
    return true;
}

/* Of k n whole turns divided by `size`: the remainder first, for an angle that is small and so exact. */
static double angle(int64_t k, int64_t n, int64_t size)
{
    return 2 * acos(-1) * (double)(k * n % size) / (double)size;
}

/* [width][2][width / 2 + 1] complex: exp(-i angle), then -i times that. */
static void fill_x_table(const fft_desc *f, float *table)
{
    const int64_t columns = fft_columns(f);
    for (int64_t x = 0; x < f->width; ++x)
        for (int64_t l = 0; l < columns; ++l) {
            const double a = angle(l, x, f->width);
            float *t = table + (x * 2 * columns + l) * 2, *turned = t + columns * 2;
            t[0] = (float)cos(a);
            t[1] = turned[0] = (float)-sin(a);
            turned[1] = (float)-cos(a);
        }
}

/* [height][height][2]: what T and -iT count for. */
static void fill_y_table(const fft_desc *f, float *table)
{
    for (int64_t k = 0; k < f->height; ++k)
        for (int64_t y = 0; y < f->height; ++y) {
            const double a = angle(k, y, f->height);
            table[(k * f->height + y) * 2] = (float)cos(a);
            table[(k * f->height + y) * 2 + 1] = (float)sin(a);
        }
}

static device_buffer *table_create(device *d, const fft_desc *f, int64_t floats,
                                   void (*fill)(const fft_desc *, float *), error *err)
{
    float *table = malloc((size_t)floats * 4);
    if (!table)
        return error_null(err, ERROR_MEMORY, "out of memory for a table of %lld sines", (long long)floats);
    fill(f, table);
    device_buffer *b = device_buffer_create(d, floats * 4, err);
    if (b && !device_write(d, b, 0, table, floats * 4, err)) {
        device_buffer_destroy(b);
        b = NULL;
    }
    free(table);
    return b;
}

static gemm_plan *plan_x(device *d, const fft_desc *f, error *err)
{
    const int64_t n = fft_columns(f) * 4;
    gemm_desc g = { .m = f->count * f->height, .n = n, .k = f->width, .batch = { 1, 1 }, .alpha = 1 };
    g.a = (gemm_operand){ .type = DTYPE_F32, .row = f->width, .column = 1 };
    g.b = (gemm_operand){ .type = DTYPE_F32, .row = n, .column = 1 };
    g.c = g.b;
    return gemm_plan_create(d, &g, err);
}

static gemm_plan *plan_y(device *d, const fft_desc *f, error *err)
{
    const int64_t n = fft_columns(f) * 2, k = f->height * 2;
    gemm_desc g = { .m = f->height, .n = n, .k = k, .batch = { f->count, 1 }, .alpha = 1 };
    g.a = (gemm_operand){ .type = DTYPE_F32, .row = k, .column = 1 };
    g.b = (gemm_operand){ .type = DTYPE_F32, .row = n, .column = 1, .batch = { k * n, 0 } };
    g.c = (gemm_operand){ .type = DTYPE_F32, .row = n, .column = 1, .batch = { f->height * n, 0 } };
    return gemm_plan_create(d, &g, err);
}

static void products_release(void *state)
{
    products *p = state;
    gemm_plan_destroy(p->along_x);
    gemm_plan_destroy(p->along_y);
    device_buffer_destroy(p->x_table);
    device_buffer_destroy(p->y_table);
    device_buffer_destroy(p->between);
    device_buffer_destroy(p->workspace);
    free(p);
}

static bool workspace_create(products *p, device *d, error *err)
{
    const int64_t x = gemm_plan_workspace_bytes(p->along_x), y = gemm_plan_workspace_bytes(p->along_y);
    if (x == 0 && y == 0) return true;
    return (p->workspace = device_buffer_create(d, x > y ? x : y, err)) != NULL;
}

static void *products_plan(device *d, const fft_desc *f, error *err)
{
    const int64_t columns = fft_columns(f);
    products *p = calloc(1, sizeof *p);
    if (!p) return error_null(err, ERROR_MEMORY, "no memory for a plan");
    p->desc = *f;
    if ((p->along_x = plan_x(d, f, err)) && (p->along_y = plan_y(d, f, err)) &&
        (p->x_table = table_create(d, f, f->width * columns * 4, fill_x_table, err)) &&
        (p->y_table = table_create(d, f, f->height * f->height * 2, fill_y_table, err)) &&
        (p->between = device_buffer_create(d, f->count * f->height * columns * 16, err)) &&
        workspace_create(p, d, err))
        return p;
    products_release(p);
    return NULL;
}

static bool products_record(void *state, device_launches *list, const char *label, device_buffer *in,
                            device_buffer *out, error *err)
{
    const products *p = state;
    const gemm_buffers x = { .a = in, .b = p->x_table, .c = p->between, .workspace = p->workspace },
                       y = { .a = p->y_table, .b = p->between, .c = out, .workspace = p->workspace };
    return gemm_plan_record(p->along_x, list, label, &x, err) &&
           gemm_plan_record(p->along_y, list, label, &y, err);
}

const fft_provider fft_products = { "products", products_supports, products_plan, products_record,
                                    products_release };

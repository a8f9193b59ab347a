/* test_clblast.c -- the "clblast" provider against a double-precision reference: strides, batches,
 * 16-bit storage, images as A and as B larger than one block, and every ending of C.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum {
    A_COLUMNS = 1,
    B_COLUMNS = 2,
    C_COLUMNS = 4,
    ACCUMULATE = 8,
    BIAS = 16,
    PREACTIVATION = 32,
    SPREAD = 64
};

typedef struct gemm_case {
    const char *name;
    int m, n, k, batch[2];
    dtype a, b, c;
    int flags;
    activation activation;
    int image_a, image_b, height, width, channels;
} gemm_case;

static const gemm_case cases[] = {
    { "plain", 37, 29, 53, { 1, 1 }, DTYPE_F32, DTYPE_F32, DTYPE_F32, 0, ACTIVATION_IDENTITY, 0, 0, 0, 0, 0 },
    { "transposed",
      37,
      29,
      53,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      A_COLUMNS | B_COLUMNS,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "C by columns",
      37,
      29,
      53,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      A_COLUMNS | C_COLUMNS | ACCUMULATE,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "long k",
      37,
      29,
      640,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      A_COLUMNS,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "long k, every end",
      20,
      33,
      256,
      { 1, 1 },
      DTYPE_F16,
      DTYPE_F32,
      DTYPE_F16,
      A_COLUMNS | B_COLUMNS | C_COLUMNS | ACCUMULATE | BIAS | PREACTIVATION,
      ACTIVATION_GELU,
      0,
      0,
      0,
      0,
      0 },
    { "long k, image as B",
      5,
      27,
      512,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F16,
      DTYPE_F32,
      A_COLUMNS | ACCUMULATE,
      ACTIVATION_IDENTITY,
      0,
      3,
      8,
      16,
      3 },
    { "one row",
      1,
      33,
      17,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      0,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "one k",
      5,
      7,
      1,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      A_COLUMNS,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "two batch axes",
      9,
      8,
      7,
      { 3, 2 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      SPREAD,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "merged batch axes",
      9,
      8,
      7,
      { 3, 2 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      B_COLUMNS | BIAS,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "bias, GELU, accumulate",
      20,
      30,
      10,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      BIAS | PREACTIVATION | ACCUMULATE,
      ACTIVATION_GELU,
      0,
      0,
      0,
      0,
      0 },
    { "bias, ReLU in place",
      20,
      30,
      10,
      { 2, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      BIAS | PREACTIVATION,
      ACTIVATION_RELU,
      0,
      0,
      0,
      0,
      0 },
    { "f16 batches",
      21,
      18,
      33,
      { 2, 3 },
      DTYPE_F16,
      DTYPE_F16,
      DTYPE_F16,
      B_COLUMNS | ACCUMULATE,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "bf16 weight, f16 out",
      21,
      18,
      33,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_BF16,
      DTYPE_F16,
      BIAS,
      ACTIVATION_IDENTITY,
      0,
      0,
      0,
      0,
      0 },
    { "image as A",
      2 * 9 * 7,
      11,
      45,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      B_COLUMNS | BIAS,
      ACTIVATION_RELU,
      3,
      0,
      9,
      7,
      5 },
    { "image as A in blocks",
      64 * 64,
      3,
      49 * 24,
      { 1, 1 },
      DTYPE_F16,
      DTYPE_F32,
      DTYPE_F16,
      0,
      ACTIVATION_IDENTITY,
      7,
      0,
      64,
      64,
      24 },
    { "image as B",
      11,
      45,
      2 * 9 * 7,
      { 1, 1 },
      DTYPE_F32,
      DTYPE_F32,
      DTYPE_F32,
      A_COLUMNS | ACCUMULATE,
      ACTIVATION_IDENTITY,
      0,
      3,
      9,
      7,
      5 },
    { "image as B in blocks",
      2,
      49 * 24,
      64 * 64,
      { 1, 1 },
      DTYPE_F16,
      DTYPE_F32,
      DTYPE_F32,
      A_COLUMNS,
      ACTIVATION_IDENTITY,
      0,
      7,
      64,
      64,
      24 },
};

#define OFFSET 3 /* elements before every operand */

typedef struct operand {
    unsigned char *host;
    int64_t count;
    device_buffer *buffer;
} operand;

/* Strides of a matrix of rows x columns, its batches one after another or (spread) axis 0 inside. */
static gemm_operand lay_out(const gemm_case *t, dtype type, int64_t rows, int64_t columns, bool by_columns)
{
    gemm_operand o = { .type = type };
    int64_t pad = t->flags & SPREAD ? 2 : 0;
    o.row = by_columns ? 1 : columns + pad;
    o.column = by_columns ? rows + pad : 1;
    int64_t each = by_columns ? o.column * columns : o.row * rows;
    o.batch[0] = t->flags & SPREAD ? each : each * t->batch[1];
    o.batch[1] = t->flags & SPREAD ? each * t->batch[0] : each;
    return o;
}

static operand make_operand(device *d, dtype type, int64_t count, int seed)
{
    error err = { 0 };
    operand o = { .count = count + OFFSET };
    o.host = calloc((size_t)o.count, 8);
    assert_non_null(o.host);
    for (int64_t i = 0; i < o.count; ++i)
        dtype_store(type, o.host, i, (float)((i * 7919 + seed * 131) % 2003 - 1001) / 1001.0f);
    int64_t bytes = o.count * (int64_t)dtype_bytes(type);
    o.buffer = device_buffer_create(d, bytes, &err);
    if (!o.buffer || !device_write(d, o.buffer, 0, o.host, bytes, &err)) fail_msg("%s", err.message);
    return o;
}

static void free_operand(operand *o)
{
    device_buffer_destroy(o->buffer);
    free(o->host);
}

static double element(const operand *o, const gemm_operand *g, int64_t batch, int64_t row, int64_t column)
{
    const gemm_image *im = &g->image;
    const int64_t kernel = im->window.size[0];
    if (kernel == 0)
        return (double)dtype_load(g->type, o->host, OFFSET + batch + row * g->row + column * g->column);
    int64_t c = column % im->channels, kx = column / im->channels % kernel;
    int64_t ky = column / im->channels / kernel;
    int64_t x = row % im->width + kx - kernel / 2, y = row / im->width % im->height + ky - kernel / 2;
    if (x < 0 || y < 0 || x >= im->width || y >= im->height) return 0;
    int64_t picture = row / im->width / im->height;
    return (double)dtype_load(g->type, o->host,
                              OFFSET + ((picture * im->height + y) * im->width + x) * im->channels + c);
}

static void compare(const gemm_case *t, const gemm_desc *g, const operand *a, const operand *b,
                    const operand *c, const operand *bias, const unsigned char *got,
                    const unsigned char *got_pre)
{
    double worst = 0, worst_pre = 0, largest = 1e-30;
    for (int64_t i0 = 0; i0 < g->batch[0]; ++i0)
        for (int64_t i1 = 0; i1 < g->batch[1]; ++i1)
            for (int64_t m = 0; m<g->m; m += t->m> 1000 ? 37 : 1)
                for (int64_t n = 0; n<g->n; n += t->n> 1000 ? 41 : 1) {
                    double sum = 0;
                    for (int64_t k = 0; k < g->k; ++k)
                        sum += element(a, &g->a, i0 * g->a.batch[0] + i1 * g->a.batch[1], m, k) *
                               element(b, &g->b, i0 * g->b.batch[0] + i1 * g->b.batch[1], k, n);
                    int64_t at =
                        OFFSET + i0 * g->c.batch[0] + i1 * g->c.batch[1] + m * g->c.row + n * g->c.column;
                    if (g->bias) sum += (double)dtype_load(DTYPE_F32, bias->host, OFFSET + n);
                    double pre = (double)g->alpha * sum;
                    double want = activation_value(g->activation, pre);
                    if (g->accumulate) want += (double)dtype_load(g->c.type, c->host, at);
                    largest = fmax(largest, fmax(fabs(want), fabs(pre)));
                    worst = fmax(worst, fabs(want - (double)dtype_load(g->c.type, got, at)));
                    if (g->preactivation)
                        worst_pre = fmax(worst_pre, fabs(pre - (double)dtype_load(g->c.type, got_pre, at)));
                }
    double tolerance = g->c.type == DTYPE_F32 ? 2e-6 : 1e-3;
    if (!(worst <= tolerance * largest)) fail_msg("%s: C is off by %g of %g", t->name, worst, largest);
    if (!(worst_pre <= tolerance * largest)) fail_msg("%s: preactivation is off by %g", t->name, worst_pre);
}

static void run_case(device *d, const gemm_case *t, const char *way)
{
    error err = { 0 };
    gemm_desc g = { .m = t->m, .n = t->n, .k = t->k, .batch = { t->batch[0], t->batch[1] }, .alpha = 0.5f };
    g.a = lay_out(t, t->a, t->m, t->k, t->flags & A_COLUMNS);
    g.b = lay_out(t, t->b, t->k, t->n, t->flags & B_COLUMNS);
    g.c = lay_out(t, t->c, t->m, t->n, t->flags & C_COLUMNS);
    g.a.image = gemm_image_same(t->image_a, t->height, t->width, t->channels);
    g.b.image = gemm_image_same(t->image_b, t->height, t->width, t->channels);
    g.accumulate = t->flags & ACCUMULATE;
    g.bias = t->flags & BIAS;
    g.preactivation = t->flags & PREACTIVATION;
    g.activation = t->activation;
    int64_t batches = (int64_t)t->batch[0] * t->batch[1];
    operand a = make_operand(d, t->a, batches * (t->m + 2) * (t->k + 2), 1);
    operand b = make_operand(d, t->b, batches * (t->k + 2) * (t->n + 2), 2);
    operand c = make_operand(d, t->c, batches * (t->m + 2) * (t->n + 2), 3);
    operand pre = make_operand(d, t->c, c.count, 4), bias = make_operand(d, DTYPE_F32, t->n, 5);

    gemm_plan *plan = gemm_plan_create_with(d, way, &g, &err);
    if (!plan) fail_msg("%s: %s", t->name, err.message);
    int64_t work = gemm_plan_workspace_bytes(plan);
    device_buffer *workspace = device_buffer_create(d, work + 512, &err);
    gemm_buffers buffers = { .a = a.buffer,
                             .b = b.buffer,
                             .c = c.buffer,
                             .bias = bias.buffer,
                             .preactivation = pre.buffer,
                             .workspace = workspace,
                             .a_offset = OFFSET,
                             .b_offset = OFFSET,
                             .c_offset = OFFSET,
                             .bias_offset = OFFSET,
                             .preactivation_offset = OFFSET,
                             .workspace_offset = 256 };
    device_launches *list = device_launches_create(d, &err);
    unsigned char *got = calloc((size_t)c.count, 8), *got_pre = calloc((size_t)pre.count, 8);
    int64_t bytes = c.count * (int64_t)dtype_bytes(t->c);
    bool ok = workspace && list && got && got_pre && gemm_plan_record(plan, list, "gemm", &buffers, &err) &&
              device_launches_run(list, 0, device_launches_count(list), &err) &&
              device_read(d, c.buffer, 0, got, bytes, &err) &&
              device_read(d, pre.buffer, 0, got_pre, bytes, &err);
    if (!ok) fail_msg("%s: %s", t->name, err.message);
    compare(t, &g, &a, &b, &c, &bias, got, got_pre);
    device_launches_destroy(list);
    gemm_plan_destroy(plan);
    device_buffer_destroy(workspace);
    free(got);
    free(got_pre);
    operand *all[] = { &a, &b, &c, &pre, &bias };
    for (int i = 0; i < 5; ++i) free_operand(all[i]);
}

static void clblast_agrees_with_the_reference(void **state)
{
    (void)state;
    device *d = device_or_skip();
    static const char *const ways[] = { "clblast", "clblast in 4", "clblast in 64" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        for (size_t j = 0; j < sizeof ways / sizeof *ways; ++j) run_case(d, &cases[i], ways[j]);
    device_close(d);
}

static void unknown_variants_are_refused(void **state)
{
    (void)state;
    device *d = device_or_skip();
    gemm_desc g = { .m = 4, .n = 4, .k = 256, .batch = { 1, 1 }, .alpha = 1 };
    g.a = (gemm_operand){ .type = DTYPE_F32, .row = 256, .column = 1 };
    g.b = (gemm_operand){ .type = DTYPE_F32, .row = 4, .column = 1 };
    g.c = g.b;
    static const char *const ways[] = { "clblast in 0", "clblast in 65", "clblast split" };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
        error err = { 0 };
        assert_null(gemm_plan_create_with(d, ways[i], &g, &err));
        assert_int_equal(err.code, ERROR_USAGE);
    }
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(clblast_agrees_with_the_reference),
                                        cmocka_unit_test(unknown_variants_are_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

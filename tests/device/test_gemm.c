/* test_gemm.c -- every provider against a double-precision reference: types, odd sizes, strides, batches,
 * images as matrices, epilogues; equal bits from equal work.  DALLE_CL_TINY=1: only tiny shapes, for slow
 * checkers of memory.
 * SPDX-License-Identifier: MIT */
#include "host/device/device.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/gemm_check.h"

static void test_sizes(void **state)
{
    (void)state;
    static const int sizes[][3] = { { 1, 1, 1 },      { 3, 1, 17 },   { 1, 17, 3 },   { 17, 65, 1 },
                                    { 65, 17, 33 },   { 7, 24, 40 },  { 13, 8, 65 },  { 33, 100, 129 },
                                    { 100, 33, 700 }, { 5, 7, 1500 }, { 64, 64, 64 }, { 130, 259, 67 },
                                    { 9, 40, 4100 } };
    const int count = tiny() ? 6 : (int)(sizeof sizes / sizeof sizes[0]);
    for (int i = 0; i < count; ++i) {
        const gemm_desc s = plain_desc(sizes[i][0], sizes[i][1], sizes[i][2], DTYPE_F32);
        check("sizes", &s);
    }
}

static void test_types(void **state)
{
    (void)state;
    for (int i = 0; i < 9; ++i) { /* every pair of operand types */
        gemm_desc s = plain_desc(19, 37, 45, DTYPE_F32);
        s.a = matrix(types[i % 3], ROWS, s.m, s.k);
        s.b = matrix(types[i / 3], i % 2 ? COLUMNS : ROWS, s.k, s.n);
        s.c = matrix(types[(i + i / 3) % 3], ROWS, s.m, s.n);
        s.bias = true;
        s.bias_type = types[(i + 1) % 3];
        check("types", &s);
    }
}

static void test_strides(void **state)
{
    (void)state;
    for (int i = 0; i < 27; ++i) {
        gemm_desc s = plain_desc(tiny() ? 7 : 23, tiny() ? 9 : 41, tiny() ? 11 : 35, DTYPE_F32);
        s.a = matrix(DTYPE_F32, (layout)(i % 3), s.m, s.k);
        s.b = matrix(DTYPE_F32, (layout)(i / 3 % 3), s.k, s.n);
        s.c = matrix(DTYPE_F32, (layout)(i / 9), s.m, s.n);
        check("strides", &s);
    }
}

/* Attention: [B, T, H, D] seen as [B, H] batches; a repeated operand; a long k in batches. */
static void test_batches(void **state)
{
    (void)state;
    const int64_t heads = 3, tokens = tiny() ? 5 : 19, size = 8;
    gemm_desc scores = plain_desc(tokens, tokens, size, DTYPE_F32);
    scores.batch[0] = 2;
    scores.batch[1] = heads;
    scores.a = (gemm_operand){
        .type = DTYPE_F32, .row = heads * size, .column = 1, .batch = { tokens * heads * size, size }
    };
    scores.b = (gemm_operand){
        .type = DTYPE_F32, .row = 1, .column = heads * size, .batch = { tokens * heads * size, size }
    };
    scores.c.batch[0] = heads * tokens * tokens;
    scores.c.batch[1] = tokens * tokens;
    scores.alpha = 0.3f;
    check("scores", &scores);

    gemm_desc repeated = plain_desc(6, 20, 12, DTYPE_F16);
    repeated.batch[0] = 3;
    repeated.batch[1] = 2;
    repeated.a.batch[0] = 100;
    repeated.b.batch[1] = 12 * 20;
    repeated.c.batch[0] = 120;
    repeated.c.batch[1] = 360;
    check("repeated", &repeated);

    gemm_desc long_k = plain_desc(5, 6, tiny() ? 600 : 1300, DTYPE_F32);
    long_k.batch[1] = 2;
    long_k.a.batch[1] = 5 * long_k.k;
    long_k.b.batch[1] = 7;
    long_k.c.batch[1] = 30;
    check("long k", &long_k);
}

typedef struct image_case {
    int pictures, kernel, height, width, channels, filters;
} image_case;

static const image_case image_cases[] = { { 2, 3, 3, 5, 3, 4 },   { 1, 5, 4, 3, 2, 17 },
                                          { 3, 1, 5, 7, 6, 9 },   { 2, 7, 9, 11, 3, 24 },
                                          { 1, 11, 5, 13, 2, 8 }, { 2, 3, 16, 16, 17, 33 },
                                          { 1, 3, 1, 1, 5, 3 },   { 1, 3, 2, 3, 700, 10 },
                                          { 3, 3, 40, 37, 30, 5 } };

static int image_case_count(void)
{
    return tiny() ? 3 : (int)(sizeof image_cases / sizeof image_cases[0]);
}

static void test_convolution_forward(void **state)
{
    (void)state;
    for (int i = 0; i < image_case_count(); ++i) {
        const image_case t = image_cases[i];
        const bool half = i % 2;
        gemm_desc s = plain_desc((int64_t)t.pictures * t.height * t.width, t.filters,
                                 (int64_t)t.kernel * t.kernel * t.channels, DTYPE_F32);
        s.a = image(half ? DTYPE_F16 : DTYPE_F32, t.kernel, t.height, t.width, t.channels);
        s.b = matrix(DTYPE_F32, COLUMNS, s.k, s.n);
        s.bias = true;
        s.activation = half ? ACTIVATION_IDENTITY : ACTIVATION_RELU;
        check("convolution", &s);
    }
}

static void test_convolution_weights(void **state)
{
    (void)state;
    for (int i = 0; i < image_case_count(); ++i) {
        const image_case t = image_cases[i];
        const bool half = i % 3 == 1;
        gemm_desc s = plain_desc(t.filters, (int64_t)t.kernel * t.kernel * t.channels,
                                 (int64_t)t.pictures * t.height * t.width, DTYPE_F32);
        s.a = matrix(half ? DTYPE_F16 : DTYPE_F32, COLUMNS, s.m, s.k);
        s.b = image(half ? DTYPE_BF16 : DTYPE_F32, t.kernel, t.height, t.width, t.channels);
        s.bias = s.preactivation = half;
        s.accumulate = true;
        check("weight gradient", &s);
    }
}

/* Windows of every kind: size, strides, padding before and after. */
typedef struct window_case {
    int pictures, height, width, channels, filters;
    window window;
} window_case;

static const window_case window_cases[] = {
    { 2, 7, 9, 3, 5, { { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } } },
    { 1, 6, 8, 4, 9, { { 4, 4 }, { 2, 2 }, { 1, 1 }, { 1, 1 } } },
    { 2, 5, 9, 3, 4, { { 1, 7 }, { 1, 1 }, { 0, 3 }, { 0, 3 } } },
    { 1, 9, 4, 5, 17, { { 7, 1 }, { 1, 1 }, { 3, 0 }, { 3, 0 } } },
    { 1, 5, 6, 2, 33, { { 4, 4 }, { 1, 1 }, { 1, 2 }, { 2, 1 } } },
    { 1, 28, 42, 3, 20, { { 14, 14 }, { 14, 14 }, { 0, 0 }, { 0, 0 } } },
    { 3, 9, 11, 2, 8, { { 2, 3 }, { 3, 2 }, { 0, 1 }, { 1, 0 } } },
    { 2, 8, 9, 6, 7, { { 1, 1 }, { 2, 2 }, { 0, 0 }, { 0, 0 } } },
    { 1, 9, 10, 3, 4, { { 3, 5 }, { 1, 2 }, { -2, -1 }, { 1, -3 } } },
    { 1, 3, 3, 5, 3, { { 1, 1 }, { 1, 1 }, { 2, 1 }, { 0, 1 } } },
    { 2, 40, 37, 30, 5, { { 5, 5 }, { 2, 3 }, { 2, 0 }, { 1, 4 } } },
    { 1, 1, 1, 1, 1, { { 2, 2 }, { 5, 5 }, { 1, 0 }, { 0, 1 } } },
};

static void test_windows(void **state)
{
    (void)state;
    const int count = (int)(sizeof window_cases / sizeof window_cases[0]);
    for (int i = 0; i < count; i += tiny() ? 4 : 1) {
        const window_case *t = &window_cases[i];
        const int64_t places =
            t->pictures * window_places(&t->window, 0, t->height) * window_places(&t->window, 1, t->width);
        const int64_t taps = (int64_t)t->window.size[0] * t->window.size[1] * t->channels;
        gemm_operand seen = { .type = types[i % 3],
                              .image = { t->window, t->height, t->width, t->channels } };
        gemm_desc s = plain_desc(places, t->filters, taps, DTYPE_F32);
        s.a = seen;
        s.b = matrix(DTYPE_F32, COLUMNS, s.k, s.n);
        s.bias = i % 2;
        s.activation = i % 2 ? ACTIVATION_RELU : ACTIVATION_IDENTITY;
        check("window", &s);
        gemm_desc w = plain_desc(t->filters, taps, places, DTYPE_F32);
        w.a = matrix(DTYPE_F32, COLUMNS, w.m, w.k);
        w.b = seen;
        w.accumulate = i % 2;
        check("weight gradient of a window", &w);
    }
}

/* Only what it is made for is done by Winograd's method. */
static void test_windows_that_are_not_winograds(void **state)
{
    (void)state;
    for (int i = 0; i < 5; ++i) {
        gemm_desc s = plain_desc(64, 32, 9 * 32, DTYPE_F32);
        s.a = image(DTYPE_F32, 3, 8, 8, 32);
        s.b = matrix(DTYPE_F32, COLUMNS, s.k, s.n);
        window *w = &s.a.image.window;
        if (i == 1) w->stride[0] = w->stride[1] = 2;
        if (i == 2) w->before[0] = 2;
        if (i == 2) w->after[0] = 0;
        if (i == 3) w->before[1] = w->after[1] = 0;
        if (i == 4) w->stride[1] = 3;
        s.m = window_places(w, 0, 8) * window_places(w, 1, 8);
        error err = { 0 };
        gemm_plan *p = gemm_plan_create_with(open_device, "winograd", &s, &err);
        const bool cpu = device_get_info(open_device)->kind != DEVICE_GPU;
        assert_int_equal(p != NULL, i == 0 && cpu);
        if (!p) assert_int_equal(err.code, ERROR_USAGE);
        gemm_plan_destroy(p);
    }
}

/* Parts of tiles, channels below and above what is multiplied at once, many strips and one; all that ends
 * elements. */
static void test_convolution_winograd(void **state)
{
    (void)state;
    static const image_case cases[] = { { 2, 3, 5, 6, 16, 16 },   { 1, 3, 8, 8, 32, 80 },
                                        { 3, 3, 1, 3, 16, 48 },   { 1, 3, 4, 7, 400, 16 },
                                        { 2, 3, 33, 40, 16, 32 }, { 1, 3, 12, 9, 96, 160 } };
    static const char *const chosen[] = { NULL };
    for (int i = 0; i < (tiny() ? 1 : 12); ++i) {
        const image_case t = cases[i / 2];
        const bool half = i % 2;
        gemm_desc s = plain_desc((int64_t)t.pictures * t.height * t.width, t.filters, 9 * (int64_t)t.channels,
                                 DTYPE_F32);
        s.a = image(half ? DTYPE_F16 : DTYPE_F32, 3, t.height, t.width, t.channels);
        s.b = matrix(half ? DTYPE_BF16 : DTYPE_F32, COLUMNS, s.k, s.n);
        s.c.type = types[i % 3];
        s.bias = !half;
        s.activation = (activation)(i % 4 / 2);
        s.preactivation = i % 4 == 3;
        s.slope = (activation)(i / 2 % 3);
        s.residual = i % 3 != 1;
        s.accumulate = i % 6 == 1;
        s.alpha = 0.5f;
        gemm_desc w = plain_desc(t.filters, s.k, s.m, DTYPE_F32);
        w.a = matrix(half ? DTYPE_BF16 : DTYPE_F32, COLUMNS, w.m, w.k);
        w.b = s.a;
        w.alpha = s.alpha;
        const gemm_desc *both[2] = { &s, &w };
        for (int j = 0; j < 2; ++j) {
            error err = { 0 };
            gemm_plan *plan = gemm_plan_create(open_device, both[j], &err);
            assert_non_null(plan);
            if (device_get_info(open_device)->kind == DEVICE_CPU)
                assert_string_equal(gemm_plan_provider(plan), "winograd");
            gemm_plan_destroy(plan);
            check_by(chosen, j ? "weight gradient" : "convolution", both[j]);
        }
    }
}

/* Types that nothing else here is stored in: whole tiles and parts, operands that are turned while packed. */
static void test_rare_types(void **state)
{
    (void)state;
    static const dtype rare[] = { DTYPE_F169, DTYPE_UF610 };
    for (int i = 0; i < (tiny() ? 1 : 4); ++i) {
        gemm_desc s = plain_desc(50, 70, 40, rare[i / 2]);
        s.a = matrix(rare[i / 2], i % 2 ? COLUMNS : ROWS, s.m, s.k);
        s.b = matrix(rare[i / 2], i % 2 ? ROWS : COLUMNS, s.k, s.n);
        s.alpha = 0.25f;
        s.accumulate = i % 2;
        if (rare[i / 2] == DTYPE_UF610) s.c.type = DTYPE_F32; /* it has no sign */
        check("rare type", &s);
    }
}

static void test_epilogues(void **state)
{
    (void)state;
    static const int shapes[][3] = { { 14, 48, 20 }, { 7, 19, 1200 }, { 11, 33, 5 } };
    for (int i = 0; i < 3; ++i)
        for (int options = 0; options < 24; ++options) {
            /* A program each: the common combinations with each way of storing, the rest once. */
            if (i != options % 3 && options % 7) continue;
            if (tiny() && options % 5) continue;
            gemm_desc s =
                plain_desc(shapes[i][0], shapes[i][1], shapes[i][2], options % 2 ? DTYPE_F16 : DTYPE_F32);
            s.c = matrix(s.c.type, i == 2 ? SPACED : ROWS, s.m, s.n);
            s.bias = options & 1;
            s.preactivation = options & 2;
            s.accumulate = options & 4;
            s.activation = (activation)(options / 8);
            s.alpha = 0.75f;
            check("epilogue", &s);
        }
}

/* Gradients of weights: few outputs, a long k, neighbours of both operands not along it. Whole tiles and
 * parts, more rows than columns and fewer, lines too long to be read in place, all that ends elements. */
static void test_long_products_of_short_lines(void **state)
{
    (void)state;
    static const int shapes[][3] = { { 17, 32, 520 }, { 64, 16, 1300 }, { 6, 64, 1100 },
                                     { 33, 48, 777 }, { 96, 32, 2000 }, { 520, 16, 2100 } };
    for (int i = 0; i < (tiny() ? 2 : 6); ++i) {
        const int *size = shapes[i];
        gemm_desc s = plain_desc(size[0], size[1], tiny() ? 520 : size[2], DTYPE_F32);
        s.a = matrix(DTYPE_F32, COLUMNS, s.m, s.k);
        s.b = matrix(i == 3 ? DTYPE_F16 : DTYPE_F32, i == 4 ? SPACED : ROWS, s.k, s.n);
        s.c = matrix(types[i % 3], i % 5 == 4 ? SPACED : i % 5 == 2 ? COLUMNS : ROWS, s.m, s.n);
        s.bias = i % 2 == 1;
        s.activation = (activation)(i % 4 == 1);
        s.accumulate = i % 3 == 0;
        s.residual = i % 3 == 1;
        if (i == 2 || i == 5) {
            s.batch[1] = 2;
            s.a.batch[1] = s.m * s.k;
            s.c.batch[1] = s.m * s.n;
        }
        check("long product", &s);
    }
}

/* Every slope, with a residual and without, in every storage type: whole tiles and parts of them, few rows, a
 * long k, C with gaps, turned, in batches, from an image. */
static void test_slopes_and_residuals(void **state)
{
    (void)state;
    static const int shapes[][3] = { { 14, 48, 20 }, { 7, 19, 1200 }, { 11, 33, 5 }, { 24, 17, 18 } };
    for (int i = 0; i < (tiny() ? 4 : 18); ++i) {
        const int *size = shapes[i % 4];
        gemm_desc s = plain_desc(size[0], size[1], size[2], types[i % 3]);
        s.slope = (activation)(i / 3 % 3);
        s.residual = i % 2 == 0 || !s.slope;
        s.c = matrix(s.c.type, i % 4 == 2 ? SPACED : i % 5 == 4 ? COLUMNS : ROWS, s.m, s.n);
        s.bias = i % 3 != 1;
        s.activation = (activation)(i % 7 == 6);
        s.accumulate = i % 5 == 3;
        s.alpha = 0.75f;
        if (i % 4 == 3) s.a = image(s.a.type, 3, 3, 4, 2);
        if (i % 4 == 0) {
            s.batch[0] = 2;
            s.a.batch[0] = s.m * s.k;
            s.c.batch[0] = s.m * s.n;
        }
        check("slope and residual", &s);
    }
}

/* Every activation, and every slope, at whole vectors and single elements. */
static void test_activations(void **state)
{
    (void)state;
    for (int i = ACTIVATION_RELU; i < (tiny() ? 2 : ACTIVATION_COUNT); ++i)
        for (int slope = 0; slope < 2; ++slope) {
            gemm_desc s = plain_desc(14, 41, 20, types[(i + slope) % 3]);
            if (slope) s.slope = (activation)i;
            if (!slope) s.activation = (activation)i;
            s.preactivation = !slope;
            check("activation", &s);
        }
}

/* Row i of a product of few rows has the same bits for 1, 3 and 16 rows. */
static void test_thin_rows_do_not_depend_on_each_other(void **state)
{
    (void)state;
    static const int counts[] = { 1, 2, 3, 7, 16, 21 };
    for (int i = 0; i < 8; ++i) {
        const bool batched = i / 4;
        unsigned char *want = NULL;
        for (int j = 5; j >= 0; --j) {
            gemm_desc s = plain_desc(counts[j], 37, 75, i % 2 ? DTYPE_F16 : DTYPE_F32);
            s.b = matrix(s.b.type, i / 2 % 2 ? COLUMNS : ROWS, s.k, s.n);
            s.bias = true;
            s.activation = ACTIVATION_GELU;
            if (batched) {
                s.batch[1] = 2;
                s.b.batch[1] = 3;
                s.c.batch[1] = 21 * 37;
            }
            gemm_array arrays[GEMM_ARRAYS];
            arrays_make(&s, arrays);
            run_result r = { 0 };
            assert_true(run("thin", &s, arrays, &r));
            const size_t bytes = (size_t)(counts[j] * 37) * dtype_bytes(s.c.type);
            if (j == 5) {
                want = r.c;
            } else {
                assert_memory_equal(r.c, want, bytes);
                free(r.c);
            }
            free(r.pre);
            arrays_free(arrays);
        }
        free(want);
    }
}

static void expect_refusal(const gemm_desc *s, error_code code, const char *word)
{
    error err = { 0 };
    assert_null(gemm_plan_create(open_device, s, &err));
    assert_int_equal(err.code, code);
    if (!strstr(err.message, word)) fail_msg("'%s' does not mention '%s'", err.message, word);
}

static void test_wrong_descriptors(void **state)
{
    (void)state;
    gemm_desc s = plain_desc(0, 4, 4, DTYPE_F32);
    expect_refusal(&s, ERROR_MODEL, "at least 1");
    s = plain_desc(4, 4, 4, DTYPE_F32);
    s.b.type = DTYPE_U8;
    expect_refusal(&s, ERROR_MODEL, "operand B");
    s = plain_desc(4, 4, 4, DTYPE_F32);
    s.c.row = 0;
    expect_refusal(&s, ERROR_MODEL, "stride of 0");
    s = plain_desc(12, 4, 18, DTYPE_F32);
    s.a = image(DTYPE_F32, 3, 3, 4, 2);
    s.a.image.window.stride[1] = 0;
    expect_refusal(&s, ERROR_MODEL, "strides must be");
    s.a.image.window = window_same(-3, 3);
    expect_refusal(&s, ERROR_MODEL, "from 1 to");
    s.a.image.window = window_same(3, 3);
    s.a.image.window.before[0] = 1 << 21;
    expect_refusal(&s, ERROR_MODEL, "padding 2097152");
    s.a.image.window.before[0] = -2;
    expect_refusal(&s, ERROR_MODEL, "no place in 3 x 4");
    s.a = image(DTYPE_F32, 3, 3, 5, 2);
    expect_refusal(&s, ERROR_MODEL, "whole number");
    s.a = image(DTYPE_F32, 3, 3, 4, 3);
    expect_refusal(&s, ERROR_MODEL, "taps");
    error err = { 0 };
    s = plain_desc(4, 4, 4, DTYPE_F32);
    assert_null(gemm_plan_create_with(open_device, "magic", &s, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    gemm_plan_destroy(NULL);
}

static int setup(void **state)
{
    (void)state;
    error err = { 0 };
    open_device = device_open(NULL, &err);
    if (open_device) return 0;
    printf("no device: %s\n", err.message);
    exit(77);
}

static int teardown(void **state)
{
    (void)state;
    device_close(open_device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_convolution_forward),
        cmocka_unit_test(test_convolution_weights),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_windows_that_are_not_winograds),
        cmocka_unit_test(test_convolution_winograd),
        cmocka_unit_test(test_rare_types),
        cmocka_unit_test(test_epilogues),
        cmocka_unit_test(test_long_products_of_short_lines),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_slopes_and_residuals),
        cmocka_unit_test(test_thin_rows_do_not_depend_on_each_other),
        cmocka_unit_test(test_wrong_descriptors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

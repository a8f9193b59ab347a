/* test_gemm_block.c -- the provider "block" against the double-precision reference: every tile, every way of
 * reading an operand (along k and across, vectors and single elements, images), of cutting k and of ending an
 * element, at sizes that are no multiple of anything.  On CPUs fewer, and with DALLE_CL_TINY=1, for slow
 * checkers of memory, fewer still.
 * SPDX-License-Identifier: MIT */
#include "host/device/backend.h"
#include "host/device/gemm_block.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/gemm_check.h"

#define SMALL "block 16x16x16"
enum { UNALIGNED = 5, ALIGNED = 8 };

static void by(const char *way, int64_t first, const char *name, const gemm_desc *s)
{
    first_element = first;
    assert_int_equal(check_ways(&way, 1, name, s), 1);
}

/* Building its kernels takes a CPU's driver some seconds each. */
static bool few(void)
{
    return tiny() || device_get_info(open_device)->kind == DEVICE_CPU;
}

/* llvmpipe runs groups of no more than 32, and says so when a kernel is built. */
static bool groups_are_small(void)
{
    return strstr(device_get_info(open_device)->name, "llvmpipe") != NULL;
}

static void test_tiles_and_tails(void **state)
{
    (void)state;
    static const char *const tiles[] = { SMALL,           "block 32x32x16", "block 64x32x8", "block 128x64x8",
                                         "block 64x64x8", "block 128x128x8" };
    static const int sizes[][3] = { { 1, 1, 1 },  { 16, 16, 16 }, { 17, 33, 15 },
                                    { 5, 70, 9 }, { 70, 5, 40 },  { 130, 150, 25 } };
    for (int i = 0; i < (groups_are_small() ? 1 : tiny() ? 2 : few() ? 4 : 6); ++i)
        for (int j = 0; j < (tiny() ? 4 : 6); ++j) {
            const gemm_desc s = plain_desc(sizes[j][0], sizes[j][1], sizes[j][2], DTYPE_F32);
            by(tiles[i], UNALIGNED, tiles[i], &s);
        }
}

/* Vectors of four and of eight, along k and across, whole and in part; one operand aligned, the other not. */
static void test_vectors(void **state)
{
    (void)state;
    static const char *const tiles[] = { SMALL, "block 32x32x16", "block 64x64x8", "block 128x128x8" };
    for (int i = 0; i < (tiny() ? 1 : few() ? 2 : 4); ++i)
        for (int j = 0; j < (i == 3 ? 2 : 4); ++j) {
            const dtype type = types[(i + j) % 3];
            gemm_desc s = plain_desc(72, 136, 40, type);
            s.a = matrix(type, j % 2 ? COLUMNS : ROWS, s.m, s.k);
            s.b = matrix(type, j / 2 ? COLUMNS : ROWS, s.k, s.n);
            s.c.type = DTYPE_F32;
            by(tiles[i], ALIGNED, "vectors", &s);
            s.a.row += j % 2 == 0; /* lines of A begin anywhere */
            s.a.column += j % 2;
            if (i < 2) by(tiles[i], ALIGNED, "vectors of B alone", &s);
        }
}

static void test_strides(void **state)
{
    (void)state;
    for (int i = 0; i < 27; i += tiny() ? 4 : 1) {
        gemm_desc s = plain_desc(19, 41, 35, DTYPE_F32);
        s.a = matrix(DTYPE_F32, (layout)(i % 3), s.m, s.k);
        s.b = matrix(DTYPE_F32, (layout)(i / 3 % 3), s.k, s.n);
        s.c = matrix(DTYPE_F32, (layout)(i / 9), s.m, s.n);
        by(SMALL, UNALIGNED, "strides", &s);
    }
}

static void test_types(void **state)
{
    (void)state;
    static const dtype all[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_F169, DTYPE_UF610 };
    for (int i = 0; i < 25; i += tiny() ? 8 : few() ? 4 : 2) { /* each pair, one way or the other */
        gemm_desc s = plain_desc(21, 24, 40, DTYPE_F32);
        s.a = matrix(all[i % 5], ROWS, s.m, s.k);
        s.b = matrix(all[i / 5], i % 4 ? COLUMNS : ROWS, s.k, s.n);
        s.c.type = all[i % 4]; /* not the one without a sign */
        s.alpha = 0.25f;
        by(SMALL, i % 4 ? ALIGNED : UNALIGNED, "types", &s);
    }
}

/* [B, T, H, D] as batches of [T, D]; operands that repeat; parts of k in batches. */
static void test_batches(void **state)
{
    (void)state;
    const int64_t heads = 3, tokens = 19, size = 8;
    gemm_desc s = plain_desc(tokens, tokens, size, DTYPE_F16);
    s.batch[0] = 2;
    s.batch[1] = heads;
    s.a = (gemm_operand){
        .type = DTYPE_F16, .row = heads * size, .column = 1, .batch = { tokens * heads * size, size }
    };
    s.b = (gemm_operand){
        .type = DTYPE_F16, .row = 1, .column = heads * size, .batch = { tokens * heads * size, size }
    };
    s.c.batch[0] = heads * tokens * tokens;
    s.c.batch[1] = tokens * tokens;
    s.alpha = 0.3f;
    by(SMALL, ALIGNED, "scores", &s);

    gemm_desc repeated = plain_desc(6, 20, 100, DTYPE_F32);
    repeated.batch[0] = 3;
    repeated.batch[1] = 2;
    repeated.a.batch[0] = 600;
    repeated.b.batch[1] = 2000;
    repeated.c.batch[0] = 120;
    repeated.c.batch[1] = 360;
    by(SMALL, UNALIGNED, "repeated", &repeated);
    by(SMALL " in 3", UNALIGNED, "repeated in parts", &repeated);
}

/* The last part is shorter, parts that would be empty are not there; whatever ends an element ends sums of
 * parts, C turned too. */
static void test_parts(void **state)
{
    (void)state;
    static const char *const ways[] = { SMALL " in 2", SMALL " in 3", SMALL " in 7", SMALL " in 900" };
    for (int i = 0; i < (tiny() ? 2 : 8); ++i) {
        gemm_desc s = plain_desc(18, 35, i % 2 ? 300 : 129, types[i % 3]);
        s.c = matrix(s.c.type, i % 4 == 1 ? COLUMNS : i % 4 == 2 ? SPACED : ROWS, s.m, s.n);
        s.bias = i % 2;
        s.activation = i % 3 == 1 ? ACTIVATION_RELU : ACTIVATION_IDENTITY;
        s.preactivation = i % 3 == 1;
        s.accumulate = i % 2 == 0;
        s.residual = i % 4 == 3;
        by(ways[i % 4], UNALIGNED, ways[i % 4], &s);
    }
}

static void test_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i += tiny() ? 10 : i % 2 ? 3 : 1) {
        gemm_desc s = plain_desc(20, 18, 33, types[i % 3]);
        s.c = matrix(s.c.type, i % 4 == 3 ? COLUMNS : ROWS, s.m, s.n);
        s.bias = i & 1;
        s.bias_type = i & 2 ? s.c.type : DTYPE_F32;
        s.preactivation = i & 2;
        s.accumulate = i & 4;
        s.activation = (activation)(i % ACTIVATION_COUNT);
        s.slope = i % 3 == 2 ? (activation)(i / 3 % ACTIVATION_COUNT) : ACTIVATION_IDENTITY;
        s.residual = i % 5 == 1;
        s.alpha = 0.75f;
        by(SMALL, UNALIGNED, "ends", &s);
    }
}

/* Windows of every kind over pictures with and without whole vectors of channels. */
typedef struct window_case {
    int pictures, height, width, channels, filters;
    window window;
} window_case;

static const window_case windows[] = {
    { 2, 5, 6, 8, 9, { { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } } },
    { 2, 7, 9, 3, 5, { { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } } },
    { 1, 6, 8, 4, 33, { { 4, 4 }, { 2, 2 }, { 1, 1 }, { 1, 1 } } },
    { 1, 9, 10, 3, 4, { { 3, 5 }, { 1, 2 }, { -2, -1 }, { 1, -3 } } },
    { 2, 8, 9, 24, 7, { { 1, 1 }, { 2, 2 }, { 0, 0 }, { 0, 0 } } },
    { 1, 1, 1, 1, 1, { { 2, 2 }, { 5, 5 }, { 1, 0 }, { 0, 1 } } },
};

/* A convolution, its weights' gradient, and both with C by columns: then the image is the other operand. */
static void test_images(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i += few() ? 2 : 1)
        for (int turned = 0; turned < 2; ++turned) {
            const window_case *t = &windows[i];
            const int64_t places = t->pictures * window_places(&t->window, 0, t->height) *
                                   window_places(&t->window, 1, t->width);
            const int64_t taps = (int64_t)t->window.size[0] * t->window.size[1] * t->channels;
            gemm_operand seen = { .type = types[i % 3],
                                  .image = { t->window, t->height, t->width, t->channels } };
            const int64_t first = i % 3 == 2 ? UNALIGNED : ALIGNED;
            gemm_desc s = plain_desc(places, t->filters, taps, DTYPE_F32);
            s.a = seen;
            s.b = matrix(DTYPE_F32, COLUMNS, s.k, s.n);
            s.c = matrix(DTYPE_F32, turned ? COLUMNS : ROWS, s.m, s.n);
            s.bias = i % 2;
            by(SMALL, first, "window", &s);
            gemm_desc w = plain_desc(t->filters, taps, places, DTYPE_F32);
            w.a = matrix(DTYPE_F32, COLUMNS, w.m, w.k);
            w.b = seen;
            w.c = matrix(DTYPE_F32, turned ? COLUMNS : ROWS, w.m, w.n);
            w.accumulate = i % 2;
            by(turned ? SMALL " in 2" : SMALL, first, "weight gradient of a window", &w);
        }
}

/* Pictures of one as rows and of another as columns: 20 places see 2 x 2 x 3 taps, the other's places. */
static void test_two_images(void **state)
{
    (void)state;
    gemm_desc s = plain_desc(20, 18, 12, DTYPE_F32);
    s.a =
        (gemm_operand){ .type = DTYPE_F32, .image = { { { 2, 2 }, { 1, 1 }, { 1, 0 }, { 0, 1 } }, 4, 5, 3 } };
    s.b = (gemm_operand){ .type = DTYPE_F32, .image = gemm_image_same(3, 3, 4, 2) };
    by(SMALL, UNALIGNED, "two images", &s);
}

/* Every vendor's matrix unit, imitated: what is loaded and where sums stand is as on the unit.  Both ways
 * that tiles are put, single elements and vectors, a k that is no multiple of the unit's, an image, parts. */
static void test_units(void **state)
{
    (void)state;
    if (groups_are_small()) return;
    for (int unit = 1; unit < DEVICE_MATRIX_COUNT; ++unit)
        for (int i = 0; i < (few() ? 2 : 4); ++i) {
            char way[64];
            snprintf(way, sizeof way, "block %s emulated %d%s", i == 3 ? "64x64x16" : "32x32x16", unit,
                     i == 2 ? " in 2" : "");
            const dtype type = types[1 + (i + unit) % 2];
            gemm_desc s = plain_desc(40, 72, i % 2 ? 56 : 37, DTYPE_F32);
            s.a = matrix(type, i % 2 ? COLUMNS : ROWS, s.m, s.k);
            s.b = matrix(type, i % 3 ? COLUMNS : ROWS, s.k, s.n);
            if (i == 2) {
                s.k = 9 * 8;
                s.a = image(type, 3, 4, 5, 8);
                s.b = matrix(type, COLUMNS, s.k, s.n);
            }
            s.c = matrix(types[i % 3], i == 1 ? COLUMNS : ROWS, s.m, s.n);
            s.bias = true;
            by(way, i % 2 || i == 2 ? ALIGNED : UNALIGNED, way, &s);
        }
}

/* Operands that get to a played unit of NVIDIA's by themselves: vectors of eight, and at 128 x 64 of four,
 * past both ends, pixels outside a picture; steps ahead that are past the end; one operand alone; neither. */
static const struct copied_case {
    const char *way;
    int m, n, k;
    bool picture, across, columns;
} copied[] = {
    { "block 32x32x16 emulated 1", 40, 72, 56, false, false, false },
    { "block 32x32x16 emulated 1 deep", 33, 31, 8, false, false, true },
    { "block 32x32x16 emulated 1 deep in 2", 60, 40, 72, true, false, false },
    { "block 32x32x16 emulated 1 fetched", 40, 72, 56, false, false, true },
    { "block 32x32x16 emulated 1", 60, 40, 72, true, true, true },
    { "block 64x64x16 emulated 1 deep in 3", 66, 72, 104, false, true, false },
    { "block 32x32x16 emulated 1 deep", 33, 40, 24, false, false, false },
    { "block 128x64x16 emulated 1", 130, 68, 40, false, false, false },
    { "block 64x64x16 emulated 1", 60, 72, 72, true, false, true },
};

static void test_copies(void **state)
{
    (void)state;
    if (groups_are_small()) return;
    for (size_t i = 0; i < (tiny() ? 3 : sizeof copied / sizeof *copied); ++i) {
        const struct copied_case *t = &copied[i];
        const dtype type = types[1 + i % 2];
        gemm_desc s = plain_desc(t->m, t->n, t->k, DTYPE_F32);
        s.a = t->picture ? image(type, 3, 4, 5, 8) : matrix(type, ROWS, s.m, s.k);
        s.b = matrix(type, t->across ? ROWS : COLUMNS, s.k, s.n);
        s.c = matrix(types[i % 3], t->columns ? COLUMNS : ROWS, s.m, s.n);
        s.bias = i % 2;
        s.activation = i % 4 == 2 ? ACTIVATION_RELU : ACTIVATION_IDENTITY;
        s.residual = i % 3 == 1;
        by(t->way, ALIGNED, t->way, &s);
    }
}

/* The trial that a device's unit must pass: each that is imitated does, one that is not there does not. */
static void test_trial_of_units(void **state)
{
    (void)state;
    error err = { 0 };
    assert_true(gemm_block_right(open_device, SMALL, &err));
    assert_false(gemm_block_right(open_device, "block 32x32x16 units", &err));
    assert_int_equal(err.code, ERROR_USAGE);
    if (groups_are_small()) return;
    for (int unit = 0; unit < DEVICE_MATRIX_COUNT; unit += few() ? 3 : 1) {
        char way[64] = "block 32x32x16 emulated 1 fetched";
        if (unit) snprintf(way, sizeof way, "block 32x32x16 emulated %d", unit);
        if (!gemm_block_right(open_device, way, &err)) fail_msg("%s: %s", way, err.message);
        assert_true(unit == 0 || device_matrix_name((device_matrix)unit)[0] != 0);
    }
}

/* What it chooses itself, sums of parts among it, with its own workspace and none where none is needed. */
static void test_own_choice(void **state)
{
    (void)state;
    error err = { 0 };
    gemm_desc s = plain_desc(33, 40, 1100, DTYPE_F16);
    by("block", ALIGNED, "own choice", &s);
    gemm_plan *p = gemm_plan_create_with(open_device, SMALL " in 1", &s, &err);
    assert_non_null(p);
    assert_int_equal(gemm_plan_workspace_bytes(p), 0);
    gemm_plan_destroy(p);
    p = gemm_plan_create_with(open_device, SMALL " in 3", &s, &err);
    assert_non_null(p);
    assert_int_equal(gemm_plan_workspace_bytes(p), 3 * 33 * 40 * 4);
    gemm_plan_destroy(p);
}

/* ---- What would be chosen on devices that are not here ---- */

static device gpu_like(const char *vendor_word, device_matrix matrix, int64_t max_group)
{
    device d = { .info = { .kind = DEVICE_GPU,
                           .compute_units = 132,
                           .max_group = max_group,
                           .local_bytes = 48 << 10,
                           .matrix_units = matrix,
                           .matrix_copies = matrix == DEVICE_MATRIX_NVIDIA } };
    snprintf(d.info.vendor_word, sizeof d.info.vendor_word, "%s", vendor_word);
    return d;
}

static block_plan planned(device *d, const gemm_desc *s, const char *variant)
{
    error err = { 0 };
    void *state = NULL;
    int64_t bytes = -1;
    if (!gemm_block.plan(d, s, variant, &bytes, &state, &err)) fail_msg("%s: %s", variant, err.message);
    const block_plan p = *(block_plan *)state;
    free(state);
    assert_int_equal(bytes, p.parts > 1 ? 4 * p.parts * s->m * s->n : 0);
    assert_true((p.parts - 1) * p.part_k < s->k && p.parts * p.part_k >= s->k);
    assert_true(p.part_k / p.shape.k <= DEVICE_LONGEST_WALK);
    return p;
}

static void test_choice_on_gpus(void **state)
{
    (void)state;
    const gemm_desc half = plain_desc(4096, 4096, 4096, DTYPE_F16),
                    single = plain_desc(4096, 4096, 4096, DTYPE_F32);
    device nvidia = gpu_like("nvidia", DEVICE_MATRIX_NVIDIA, 1024),
           small = gpu_like("other", DEVICE_MATRIX_NONE, 64);
    device intel = gpu_like("intel", DEVICE_MATRIX_DPAS_8, 1024), cpu = nvidia;
    cpu.info.kind = DEVICE_CPU;
    assert_true(gemm_block_suits(&nvidia, &half) && !gemm_block_suits(&nvidia, &single));
    assert_false(gemm_block_suits(&cpu, &half));

    block_plan p = planned(&nvidia, &half, NULL);
    assert_true(p.matrix == DEVICE_MATRIX_NVIDIA && p.shape.m == 128 && p.shape.n == 128 && p.shape.k == 16);
    assert_int_equal(p.parts, 1);
    assert_true(p.copies && p.halves == 2);
    p = planned(&nvidia, &half, "128x128x16 units deep");
    assert_true(p.copies && p.halves == 3);
    p = planned(&nvidia, &half, "128x128x16 units fetched in 2");
    assert_true(!p.copies && p.halves == 2 && p.parts == 2);
    p = planned(&nvidia, &single, NULL);
    assert_true(p.matrix == DEVICE_MATRIX_NONE && p.shape.m == 128 && p.shape.k == 8);
    /* A gradient of weights: few tiles are cut along k, until there is work for all. */
    const gemm_desc weights = plain_desc(64, 576, 65536, DTYPE_F32);
    p = planned(&nvidia, &weights, NULL);
    assert_true(p.parts > 1 && p.parts * 64 * 576 >= 132 * p.shape.m * p.shape.n);
    const gemm_desc longest = plain_desc(4096, 4096, INT64_C(1) << 20, DTYPE_F32);
    assert_true(planned(&nvidia, &longest, NULL).parts >= 4);
    const gemm_desc tiny_one = plain_desc(9, 12, 40, DTYPE_F16);
    assert_int_equal(planned(&nvidia, &tiny_one, "16x16x16").parts, 1);

    p = planned(&small, &single, NULL);
    assert_true(p.shape.down * p.shape.across <= 64);
    const gemm_desc *both[] = { &half, &single };
    for (int i = 0; i < 2; ++i) {
        p = planned(&intel, both[i], NULL);
        assert_true(p.shape.m * p.shape.n <= 32 * p.shape.down * p.shape.across);
    }
}

/* Every way that is offered is one that can be asked for, and there is room for all of them in gemm_ways. */
static void test_variants_on_gpus(void **state)
{
    (void)state;
    const gemm_desc s = plain_desc(512, 512, 8192, DTYPE_BF16);
    for (int unit = 0; unit < DEVICE_MATRIX_COUNT; ++unit) {
        device d = gpu_like(unit >= DEVICE_MATRIX_DPAS_8 ? "intel" : "other", (device_matrix)unit, 1024);
        char name[GEMM_WAY_SIZE];
        int count = 0, by_units = 0, copied_far = 0;
        for (; gemm_block.variant(&d, &s, count, name); ++count) {
            const block_plan p = planned(&d, &s, name);
            by_units += p.matrix != DEVICE_MATRIX_NONE;
            copied_far += p.halves == 3;
            assert_true(strstr(name, " in 16") ? p.parts == 16 : true);
        }
        assert_in_range(count, 5, unit == DEVICE_MATRIX_NVIDIA ? 12 : 10);
        assert_true(unit ? by_units >= 3 : by_units == 0);
        assert_int_equal(copied_far, unit == DEVICE_MATRIX_NVIDIA);
    }
}

static void test_unknown_variants_are_refused(void **state)
{
    (void)state;
    static const char *const ways[] = { "block 5x5x5",
                                        "block 64x64",
                                        "block 64x64x8 in 0",
                                        "block 64x64x8 in",
                                        "block 64x64x8 in 2 x",
                                        "block 64x64x8 units",
                                        "block 64x64x16 emulated 9",
                                        "block 64x64x8 deep",
                                        "block 16x16x16 emulated 1" };
    const gemm_desc s = plain_desc(8, 8, 512, DTYPE_F32);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
        error err = { 0 };
        if (gemm_plan_create_with(open_device, ways[i], &s, &err)) fail_msg("'%s' was taken", ways[i]);
        assert_int_equal(err.code, ERROR_USAGE);
    }
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles_and_tails),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_two_images),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_trial_of_units),
        cmocka_unit_test(test_own_choice),
        cmocka_unit_test(test_choice_on_gpus),
        cmocka_unit_test(test_variants_on_gpus),
        cmocka_unit_test(test_unknown_variants_are_refused),
    };
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, setup, teardown);
}

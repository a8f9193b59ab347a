/* test_gemm_choice.c -- ways of doing a product: each gives the same values, a chosen one is taken, kept for
 * later processes, forgotten; a damaged file is ignored.
 * SPDX-License-Identifier: MIT */
#include "host/base/file.h"
#include "host/device/device.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support/gemm_descs.h"

static char folder[] = "/tmp/dalle-cl-choice-XXXXXX";

static device *open_or_skip(void)
{
    error err = { 0 };
    device *d = device_open(NULL, &err);
    if (d) return d;
    printf("no device: %s\n", err.message);
    exit(77);
}

static const char *provider_for(device *d, const gemm_desc *s, char name[GEMM_WAY_SIZE])
{
    error err = { 0 };
    gemm_plan *p = gemm_plan_create(d, s, &err);
    if (!p) fail_msg("%s", err.message);
    snprintf(name, GEMM_WAY_SIZE, "%s", gemm_plan_provider(p));
    gemm_plan_destroy(p);
    return name;
}

static void test_shapes_tell_products_apart(void **state)
{
    (void)state;
    char a[GEMM_SHAPE_SIZE], b[GEMM_SHAPE_SIZE];
    gemm_desc s = plain_desc(64, 32, 600, DTYPE_F32);
    gemm_shape_text(&s, a);
    assert_string_equal(a, "64x32x600 A F32 rows B F32 rows C F32 rows");
    for (int i = 0; i < 7; ++i) {
        gemm_desc other = s;
        if (i == 0) other.b = matrix(DTYPE_F32, COLUMNS, s.k, s.n);
        if (i == 1) other.a.type = DTYPE_F16;
        if (i == 2) other.bias = true;
        if (i == 3) other.a = image(DTYPE_F32, 3, 8, 8, 600 / 9);
        if (i == 4) other.batch[1] = 2, other.c.batch[1] = 64 * 32;
        if (i == 5) other.residual = true;
        if (i == 6) other.slope = ACTIVATION_RELU;
        gemm_shape_text(&other, b);
        assert_string_not_equal(a, b);
    }
    /* Windows too; the longest text has room. */
    s.a = image(DTYPE_F32, 3, 8, 8, 600 / 9);
    gemm_shape_text(&s, a);
    assert_string_equal(a, "64x32x600 A F32 image 8x8x66 k3 B F32 rows C F32 rows");
    for (int i = 0; i < 4; ++i) {
        gemm_desc other = s;
        window *w = &other.a.image.window;
        *(i == 0 ? &w->stride[1] : i == 1 ? &w->before[0] : i == 2 ? &w->after[1] : &w->size[1]) += 2;
        gemm_shape_text(&other, b);
        assert_string_not_equal(a, b);
    }
    const int32_t wide = -(1 << 20), most = INT32_MAX;
    s.a.image =
        (gemm_image){ { { wide, wide }, { wide, wide }, { wide, wide }, { wide, wide } }, most, most, most };
    s.b.image = s.a.image;
    s.a.type = s.b.type = s.c.type = DTYPE_BF16;
    s.m = s.n = s.k = s.batch[0] = s.batch[1] = most;
    s.c.column = most;
    gemm_shape_text(&s, a);
    assert_non_null(strstr(a, " C BF16 spaced"));
}

/* C of ones times ones is k in every way, whatever the order of the sum. */
static void test_every_way_is_right(void **state)
{
    (void)state;
    device *d = open_or_skip();
    gemm_desc s = plain_desc(37, 29, 600, DTYPE_F32);
    char ways[GEMM_WAYS_MAX][GEMM_WAY_SIZE];
    const int count = gemm_ways(d, &s, ways);
    assert_in_range(count, 2, GEMM_WAYS_MAX);
    float *ones = malloc(37 * 600 * sizeof *ones), *got = malloc(37 * 29 * sizeof *got);
    for (int i = 0; i < 37 * 600; ++i) ones[i] = 1.0f;
    for (int i = 0; i < count; ++i) {
        error err = { 0 };
        gemm_plan *p = gemm_plan_create_with(d, ways[i], &s, &err);
        if (!p) fail_msg("%s", err.message);
        device_launches *list = device_launches_create(d, &err);
        gemm_buffers b = { .a = device_buffer_create(d, 4 * (37 * 600 + 16), &err),
                           .b = device_buffer_create(d, 4 * (29 * 600 + 16), &err),
                           .c = device_buffer_create(d, 4 * (37 * 29 + 16), &err),
                           .workspace = device_buffer_create(d, gemm_plan_workspace_bytes(p) + 256, &err) };
        bool ok = device_write(d, b.a, 0, ones, 4 * 37 * 600, &err) &&
                  device_write(d, b.b, 0, ones, 4 * 29 * 600, &err) &&
                  gemm_plan_record(p, list, "test", &b, &err) &&
                  device_launches_run(list, 0, device_launches_count(list), &err) &&
                  device_read(d, b.c, 0, got, 4 * 37 * 29, &err);
        if (!ok) fail_msg("%s: %s", ways[i], err.message);
        for (int j = 0; j < 37 * 29; ++j)
            if (got[j] != 600.0f) fail_msg("%s: element %d is %g", ways[i], j, (double)got[j]);
        device_launches_destroy(list);
        gemm_plan_destroy(p);
        device_buffer_destroy(b.a);
        device_buffer_destroy(b.b);
        device_buffer_destroy(b.c);
        device_buffer_destroy(b.workspace);
    }
    free(ones);
    free(got);
    device_close(d);
}

static void test_choices_are_kept(void **state)
{
    (void)state;
    error err = { 0 };
    char before[GEMM_WAY_SIZE], now[GEMM_WAY_SIZE], hash[65], other[65], *path = NULL;
    gemm_desc s = plain_desc(40, 24, 64, DTYPE_F32), different = plain_desc(41, 24, 64, DTYPE_F32);
    device *d = open_or_skip();
    provider_for(d, &s, before);
    assert_string_not_equal(before, "plain");
    assert_true(gemm_choices_hash(d, hash, &err));
    assert_string_equal(hash, "none");
    assert_true(gemm_choose(d, &s, "plain", &err));
    assert_string_equal(provider_for(d, &s, now), "plain");
    assert_string_equal(provider_for(d, &different, now), before);
    assert_true(gemm_choices_hash(d, hash, &err));
    assert_int_equal(strlen(hash), 64);
    if (!gemm_choices_save(d, &path, &err)) fail_msg("%s", err.message);
    device_close(d);

    d = open_or_skip();
    assert_string_equal(provider_for(d, &s, now), "plain");
    assert_true(gemm_choices_hash(d, other, &err));
    assert_string_equal(hash, other);
    gemm_choices_forget(d);
    assert_string_equal(provider_for(d, &s, now), before);
    device_close(d);

    assert_true(file_write(path, "{\"shapes\": 3}", 13, &err));
    d = open_or_skip();
    assert_string_equal(provider_for(d, &s, now), before);
    device_close(d);
    /* A way that another version knew. */
    static const char *const unknown[] = { "magic", "tile 5x5x5 rows", "winograd" };
    for (int i = 0; i < 3; ++i) {
        char text[160], shape[GEMM_SHAPE_SIZE];
        gemm_shape_text(&s, shape);
        int length = snprintf(text, sizeof text, "{\"shapes\": {\"%.60s\": \"%s\"}}", shape, unknown[i]);
        assert_true(file_write(path, text, (size_t)length, &err));
        d = open_or_skip();
        assert_string_equal(provider_for(d, &s, now), before);
        assert_true(gemm_choices_hash(d, hash, &err));
        assert_string_equal(hash, "none");
        device_close(d);
    }
    assert_true(file_write(path, "nonsense", 8, &err));
    d = open_or_skip();
    assert_string_equal(provider_for(d, &s, now), before);
    device_close(d);
    unlink(path);
    free(path);
}

static void seen_once(void *context, const gemm_desc *desc)
{
    assert_int_equal(desc->m, 40);
    ++*(int *)context;
}

static void test_watching_and_forcing(void **state)
{
    (void)state;
    error err = { 0 };
    int seen = 0;
    char name[GEMM_WAY_SIZE];
    gemm_desc s = plain_desc(40, 24, 64, DTYPE_F32);
    device *d = open_or_skip();
    gemm_watch(d, seen_once, &seen);
    provider_for(d, &s, name);
    gemm_watch(d, NULL, NULL);
    provider_for(d, &s, name);
    assert_int_equal(seen, 1);
    setenv("DALLE_CL_GEMM", "thin", 1);
    assert_string_equal(provider_for(d, &s, name), "thin");
    setenv("DALLE_CL_GEMM", "magic", 1);
    assert_null(gemm_plan_create(d, &s, &err));
    assert_non_null(strstr(err.message, "DALLE_CL_GEMM"));
    unsetenv("DALLE_CL_GEMM");
    assert_null(gemm_plan_create_with(d, "tile 5x5x5 rows", &s, &err));
    device_close(d);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return 1;
    return setenv("DALLE_CL_CACHE", folder, 1);
}

static int teardown(void **state)
{
    (void)state;
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_tell_products_apart),
        cmocka_unit_test(test_every_way_is_right),
        cmocka_unit_test(test_choices_are_kept),
        cmocka_unit_test(test_watching_and_forcing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

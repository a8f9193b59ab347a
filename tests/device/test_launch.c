/* test_launch.c -- arguments of every kind, replay, copies and fills in order, limits, profiles.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNT 100

#define MUST(call) \
    do { \
        if (!(call)) fail_msg("%s: %s", #call, err.message); \
    } while (0)

static int setup(void **state)
{
    *state = device_or_skip();
    return 0;
}

static int teardown(void **state)
{
    device_close(*state);
    return 0;
}

static device_launch affine(device_buffer *b, int64_t offset, float scale, int shift, int64_t wide)
{
    return (device_launch){ .file = "device/selftest",
                            .kernel = "selftest_affine",
                            .options = "-DVEC=1",
                            .label = "affine",
                            .rank = 1,
                            .global = { 8 },
                            .local = { 2 },
                            .arg_count = 5,
                            .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b, .integer = offset },
                                      { .kind = DEVICE_ARG_INT, .integer = COUNT },
                                      { .kind = DEVICE_ARG_FLOAT, .real = scale },
                                      { .kind = DEVICE_ARG_INT, .integer = shift },
                                      { .kind = DEVICE_ARG_LONG, .integer = wide } } };
}

static void replay_applies_arguments_in_order(void **state)
{
    device *d = *state;
    error err = { 0 };
    float host[COUNT + 20];
    device_buffer *b = device_buffer_create(d, sizeof host, &err),
                  *saved = device_buffer_create(d, sizeof host, &err);
    device_launches *list = device_launches_create(d, &err);
    device_launch first = affine(b, 10, 2.0f, 3, 1LL << 33), second = affine(b, 10, 0.5f, -1, 0);
    MUST(b && saved && list);
    MUST(device_launches_add_fill(list, "fill", b, 0, sizeof host, 0x3f800000u, &err));
    MUST(device_launches_add(list, &first, &err));
    MUST(device_launches_add(list, &second, &err));
    MUST(device_launches_add_copy(list, "copy", saved, 40, b, 40, COUNT * 4, &err));
    assert_int_equal(device_launches_count(list), 4);
    for (int round = 0; round < 3; ++round) MUST(device_launches_run(list, 0, 4, &err));
    MUST(device_launches_run(list, 2, 1, &err));
    MUST(device_read(d, saved, 0, host, sizeof host, &err));
    float once = 0.5f * (2.0f * 1.0f + 3.0f + 8589934592.0f) - 1.0f;
    for (int i = 10; i < 10 + COUNT; ++i) assert_true(host[i] == once);
    MUST(device_read(d, b, 0, host, sizeof host, &err));
    assert_true(host[9] == 1.0f && host[10 + COUNT] == 1.0f);
    for (int i = 10; i < 10 + COUNT; ++i) assert_true(host[i] == 0.5f * once - 1.0f);
    device_launches_destroy(list);
    device_buffer_destroy(b);
    device_buffer_destroy(saved);
}

static void too_large_a_group_is_explained(void **state)
{
    device *d = *state;
    error err = { 0 };
    device_buffer *b = device_buffer_create(d, 1024, &err);
    device_launches *list = device_launches_create(d, &err);
    device_launch launch = affine(b, 0, 1, 0, 0);
    launch.local[0] = launch.global[0] = (size_t)device_get_info(d)->max_group * 2;
    assert_false(device_launches_add(list, &launch, &err));
    assert_int_equal(err.code, ERROR_DEVICE);
    assert_non_null(strstr(err.message, "selftest_affine"));
    assert_non_null(strstr(err.message, "local"));
    assert_int_equal(device_launches_count(list), 0);
    device_launches_destroy(list);
    device_buffer_destroy(b);
}

static bool double_first(device *d, void *context, error *err)
{
    device_buffer *b = *(device_buffer **)context;
    float x;
    if (!device_read(d, b, 0, &x, 4, err)) return false;
    x *= 2;
    return device_write(d, b, 0, &x, 4, err);
}

static bool refuse(device *d, void *context, error *err)
{
    (void)d;
    (void)context;
    return error_set(err, ERROR_DEVICE, "refused");
}

static void calls_run_between_launches(void **state)
{
    device *d = *state;
    error err = { 0 };
    float host = 0;
    device_buffer *b = device_buffer_create(d, COUNT * 4, &err), **context = malloc(sizeof *context);
    device_launches *list = device_launches_create(d, &err);
    device_launch launch = affine(b, 0, 1.0f, 5, 0);
    assert_non_null(context);
    *context = b;
    MUST(device_launches_add_fill(list, "fill", b, 0, COUNT * 4, 0, &err));
    MUST(device_launches_add(list, &launch, &err));
    MUST(device_launches_add_call(list, "call", double_first, context, &err));
    MUST(device_launches_add(list, &launch, &err));
    MUST(device_launches_add_call(list, "layer.3", refuse, NULL, &err));
    MUST(device_launches_run(list, 0, 4, &err));
    MUST(device_read(d, b, 0, &host, 4, &err));
    assert_true(host == 15.0f);
    assert_false(device_launches_run(list, 4, 1, &err));
    assert_string_equal(err.message, "layer.3: refused");
    device_launches_destroy(list);
    device_buffer_destroy(b);
}

static void profile_counts_by_label(void **state)
{
    device *d = *state;
    error err = { 0 };
    device_buffer *b = device_buffer_create(d, 4096, &err);
    device_launches *list = device_launches_create(d, &err);
    device_launch launch = affine(b, 0, 1, 0, 0);
    MUST(device_launches_add_fill(list, "clear", b, 0, 4096, 0, &err));
    MUST(device_launches_add(list, &launch, &err));
    MUST(device_profile_start(d, &err));
    for (int i = 0; i < 3; ++i) MUST(device_launches_run(list, 0, 2, &err));
    char *table = device_profile_report(d, &err);
    MUST(table);
    char label[32];
    int launches;
    double ms;
    const char *row = strstr(table, "affine");
    assert_non_null(row);
    assert_int_equal(sscanf(row, "%31s %d %lf", label, &launches, &ms), 3);
    assert_int_equal(launches, 3);
    assert_true(ms >= 0);
    assert_non_null(strstr(table, "clear"));
    assert_non_null(strstr(table, "100.0%"));
    free(table);
    MUST(device_launches_run(list, 0, 2, &err));
    MUST(device_finish(d, &err));
    device_launches_destroy(list);
    device_buffer_destroy(b);
}

/* Three kernels, some with two sets of options, one with groups along three axes, and a copy that nothing is
 * joined across.  Values depend on the launches before. */
static device_launches *chain(device *d, device_buffer *b, device_buffer *to, bool joined)
{
    error err = { 0 };
    device_launches *list = device_launches_create(d, &err);
    MUST(list);
    if (joined) device_launches_defer(list);
    for (int i = 0; i < 7; ++i) {
        device_launch l = affine(b, 10, i % 2 ? 0.5f : 0.25f, i, i == 5 ? 7 : 0);
        l.local[0] = 1;
        if (i % 3 == 2) l.options = "-DVEC=1 -DX_STORE=STORE_BF16";
        MUST(device_launches_add(list, &l, &err));
        if (i == 3) MUST(device_launches_add_copy(list, "copy", to, 0, b, 40, COUNT * 4, &err));
        if (i % 2 == 0) continue;
        device_launch odd = { .file = "device/selftest",
                              .kernel = "selftest_scalar",
                              .options = i == 3 ? "-DVEC=1 -DX_STORE=STORE_F16" : "-DVEC=1",
                              .label = "scalar",
                              .rank = 1,
                              .global = { 3 },
                              .local = { 1 },
                              .arg_count = 4,
                              .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b, .integer = COUNT + 20 },
                                        { .kind = DEVICE_ARG_BUFFER, .buffer = to, .integer = 4 * COUNT },
                                        { .kind = DEVICE_ARG_BUFFER, .buffer = b, .integer = 10 },
                                        { .kind = DEVICE_ARG_INT, .integer = COUNT } } };
        MUST(device_launches_add(list, &odd, &err));
        device_launch axes = { .file = "device/selftest",
                               .kernel = "selftest_axes",
                               .options = "-DVEC=1",
                               .label = "axes",
                               .rank = 3,
                               .global = { 4, 3, 2 },
                               .local = { 1, 1, 1 },
                               .arg_count = 1,
                               .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = b, .integer = 20 } } };
        MUST(device_launches_add(list, &axes, &err));
    }
    const int ends[] = { 2 };
    MUST(!joined || device_launches_join(list, ends, 1, &err));
    return list;
}

static void joined_launches_give_the_same(void **state)
{
    enum { BYTES = (2 * COUNT + 20) * 4, TO = 6 * COUNT * 4, TIMES = 5 };
    device *d = *state;
    error err = { 0 };
    static float got[2][(BYTES + TO) / 4];
    for (int joined = 0; joined < 2; ++joined) {
        device_buffer *b = device_buffer_create(d, BYTES, &err), *to = device_buffer_create(d, TO, &err);
        MUST(b && to);
        MUST(device_fill(d, b, 0, BYTES, 0x3fc00000u, &err) && device_fill(d, to, 0, TO, 0, &err));
        device_launches *list = chain(d, b, to, joined);
        assert_int_equal(device_launches_joined(list), joined && device_get_info(d)->joins);
        int count = device_launches_count(list);
        MUST(device_launches_run(list, 2, count - 2, &err));
        MUST(device_launches_repeat(list, 0, count, TIMES, &err));
        MUST(device_launches_repeat(list, 0, 2, TIMES, &err));
        MUST(device_launches_run(list, 3, 2, &err)); /* begins inside what is joined */
        MUST(device_read(d, b, 0, got[joined], BYTES, &err));
        MUST(device_read(d, to, 0, got[joined] + BYTES / 4, TO, &err));
        device_launches_destroy(list);
        device_buffer_destroy(b);
        device_buffer_destroy(to);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    assert_true(got[0][10] != 1.5f && got[0][BYTES / 4] != 0.0f);
}

/* Thousands of times at once: whoever comes late, no group is done twice or left out. */
static void joined_launches_count_right(void **state)
{
    device *d = *state;
    const int times = device_get_info(d)->joins ? 3000 : 3;
    error err = { 0 };
    float host[COUNT];
    device_buffer *b = device_buffer_create(d, sizeof host, &err);
    device_launches *list = device_launches_create(d, &err);
    MUST(b && list);
    MUST(device_fill(d, b, 0, sizeof host, 0, &err));
    device_launches_defer(list);
    for (int i = 0; i < 3; ++i) {
        device_launch l = affine(b, 0, 1.0f, 1, 0);
        l.local[0] = 1;
        l.global[0] = (size_t)(3 + 10 * i);
        MUST(device_launches_add(list, &l, &err));
    }
    MUST(device_launches_join(list, NULL, 0, &err));
    for (int round = 1; round <= 3; ++round) {
        MUST(device_launches_repeat(list, 0, 3, times, &err));
        MUST(device_read(d, b, 0, host, sizeof host, &err));
        for (int i = 0; i < COUNT; ++i) assert_true(host[i] == (float)(3 * times * round));
    }
    device_launches_destroy(list);
    device_buffer_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_applies_arguments_in_order), cmocka_unit_test(too_large_a_group_is_explained),
        cmocka_unit_test(calls_run_between_launches),        cmocka_unit_test(profile_counts_by_label),
        cmocka_unit_test(joined_launches_give_the_same),     cmocka_unit_test(joined_launches_count_right),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

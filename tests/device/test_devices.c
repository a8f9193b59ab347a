/* test_devices.c -- the list, every kind of selector, remembered probes, and legal shapes.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static device_info *infos;
static int count;

static int setup(void **state)
{
    (void)state;
    error err = { 0 };
    device_close(device_or_skip());
    count = device_list(&infos, true, &err);
    return count > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(infos);
    return 0;
}

static void the_rate_is_measured_again(void **state)
{
    (void)state;
    error err = { 0 };
    device *d = device_or_skip();
    double rate = device_measure_rate(d, &err);
    device_close(d);
    if (!(rate > 0)) fail_msg("%s", err.message);
}

static void the_list_is_filled_in(void **state)
{
    (void)state;
    for (int i = 0; i < count; ++i) {
        const device_info *info = &infos[i];
        assert_int_equal(info->index, i);
        assert_true(info->name[0] && info->vendor_word[0] && info->runtime[0] && info->driver[0]);
        assert_true(info->compute_units >= 1 && info->max_group >= 1);
        assert_true(info->memory_bytes > 0 && info->max_buffer_bytes > 0);
        assert_true(info->usable == (info->reason[0] == 0));
        if (!info->usable) continue;
        assert_true(info->half_storage && info->probe_gflops > 0);
        assert_true(info->lanes >= 1 && info->lanes <= info->max_group);
        if (info->kind == DEVICE_CPU) assert_true(info->lanes == 1 && info->vec == 16);
    }
}

static void probes_are_remembered(void **state)
{
    (void)state;
    error err = { 0 };
    device_info *again = NULL;
    assert_int_equal(device_list(&again, true, &err), count);
    for (int i = 0; i < count; ++i) {
        assert_true(again[i].probe_gflops == infos[i].probe_gflops);
        assert_true(again[i].copy_gbs == infos[i].copy_gbs && again[i].launch_us == infos[i].launch_us);
        assert_int_equal(again[i].probed_buffer_bytes, infos[i].probed_buffer_bytes);
        assert_int_equal(again[i].subgroup_sizes, infos[i].subgroup_sizes);
        assert_int_equal(again[i].matrix_units, infos[i].matrix_units);
        assert_memory_equal(again[i].units, infos[i].units, sizeof infos[i].units);
    }
    free(again);
}

static void limits_and_costs_are_tried_not_believed(void **state)
{
    (void)state;
    for (int i = 0; i < count; ++i) {
        const device_info *info = &infos[i];
        if (!info->usable) continue;
        assert_true(info->measured);
        assert_in_range(info->probed_buffer_bytes, 1 << 20, info->max_buffer_bytes);
        assert_in_range(info->probed_local_bytes, 1024, info->local_bytes);
        assert_true(info->copy_gbs > 0 && info->round_trip_us > 0 && info->launch_us >= 0);
        if (info->subgroup_size) assert_true(info->subgroup_sizes & info->subgroup_size);
        /* A unit is only ever found on its vendor's devices, and never on a processor. */
        for (int u = 0; u < DEVICE_UNIT_COUNT; ++u) {
            assert_true(device_unit_name((device_unit)u)[0] != 0);
            if (info->kind == DEVICE_CPU) assert_int_equal(info->units[u], DEVICE_NOT_TRIED);
            if (info->kind == DEVICE_CPU) assert_int_equal(info->matrix_units, DEVICE_MATRIX_NONE);
        }
    }
}

/* The measured extras may be missing (opened before it was ever listed) or spoilt: both are made up for. */
static void what_is_remembered_may_be_spoilt(void **state)
{
    (void)state;
    char folder[] = "/tmp/dalle-cl-test-XXXXXX", command[256];
    const char *before = getenv("DALLE_CL_CACHE");
    char *saved = before ? strdup(before) : NULL;
    assert_non_null(mkdtemp(folder));
    setenv("DALLE_CL_CACHE", folder, 1);
    error err = { 0 };
    for (int round = 0; round < 2; ++round) {
        device *d = device_open(NULL, &err);
        assert_non_null(d);
        int index = device_get_info(d)->index;
        device_close(d);
        device_info *again = NULL;
        assert_int_equal(device_list(&again, true, &err), count);
        assert_true(again[index].usable && again[index].measured && again[index].copy_gbs > 0);
        free(again);
        snprintf(command, sizeof command, "for f in %s/device-*.json; do echo '{\"usable\": 7' > $f; done",
                 folder);
        assert_int_equal(system(command), 0);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    if (saved)
        setenv("DALLE_CL_CACHE", saved, 1);
    else
        unsetenv("DALLE_CL_CACHE");
    free(saved);
}

static void lists_of_devices_are_selected_in_order(void **state)
{
    (void)state;
    error err = { 0 };
    int *chosen = NULL, usable[2], found = 0;
    for (int i = 0; i < count && found < 2; ++i)
        if (infos[i].usable) usable[found++] = i;
    char text[64];
    if (found == 2) {
        snprintf(text, sizeof text, "%d,%d", usable[1], usable[0]);
        assert_int_equal(device_select(text, &chosen, &err), 2);
        assert_true(chosen[0] == usable[1] && chosen[1] == usable[0]);
        free(chosen);
        device *d = device_open(text, &err);
        assert_non_null(d);
        assert_int_equal(device_get_info(d)->index, usable[1]);
        assert_non_null(strstr(device_choice_reason(d), "first of 2"));
        device_close(d);
    }
    assert_int_equal(device_select(NULL, &chosen, &err), 1);
    snprintf(text, sizeof text, "%d,%d", chosen[0], chosen[0]);
    free(chosen);
    static const char *const broken[] = { "", ",", "0,", ",0", "0,,0", "0,no such device" };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; ++i) {
        const char *wrong = i == 0 ? text : broken[i];
        err = (error){ 0 };
        assert_int_equal(device_select(wrong, &chosen, &err), -1);
        assert_null(chosen);
        assert_int_equal(err.code, ERROR_USAGE);
        assert_null(device_open(wrong, &err));
    }
}

static void expect_open(const char *selector, int index)
{
    error err = { 0 };
    device *d = device_open(selector, &err);
    if (!d) fail_msg("'%s': %s", selector, err.message);
    if (index >= 0) assert_int_equal(device_get_info(d)->index, index);
    assert_true(device_choice_reason(d)[0] != 0);
    device_close(d);
}

static void devices_open_by_index_word_and_name(void **state)
{
    (void)state;
    for (int i = 0; i < count; ++i) {
        if (!infos[i].usable) continue;
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        expect_open(text, i);
        expect_open(infos[i].word, i);
        expect_open(infos[i].vendor_word, -1);
        expect_open(infos[i].name, -1);
        snprintf(text, sizeof text, "%.6s", infos[i].name);
        for (char *c = text; *c; ++c)
            if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
        expect_open(text, -1);
        if (infos[i].kind == DEVICE_CPU) expect_open("CPU", -1);
    }
    expect_open(NULL, -1);
}

static void an_unknown_selector_lists_the_devices(void **state)
{
    (void)state;
    static const char *const wrong[] = { "999", "-1", "no such device", "pcol", "0x" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        error err = { 0 };
        assert_null(device_open(wrong[i], &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_non_null(strstr(err.message, wrong[i]));
        assert_non_null(strstr(err.message, infos[0].name));
    }
}

static void the_environment_selects_too(void **state)
{
    (void)state;
    const char *before = getenv("DALLE_CL_DEVICE");
    char *saved = before ? strdup(before) : NULL;
    error err = { 0 };
    setenv("DALLE_CL_DEVICE", "unheard-of", 1);
    assert_null(device_open("", &err));
    assert_int_equal(err.code, ERROR_USAGE);
    if (saved)
        setenv("DALLE_CL_DEVICE", saved, 1);
    else
        unsetenv("DALLE_CL_DEVICE");
    free(saved);
}

static void shapes_are_checked(void **state)
{
    (void)state;
    error err = { 0 };
    device *d = device_open(NULL, &err);
    assert_non_null(d);
    const device_info *info = device_get_info(d);
    static const int wrong[][2] = { { 0, 4 }, { 3, 4 }, { -4, 4 }, { 1, 3 }, { 1, 0 }, { 1, 32 } };
    int lanes = info->lanes, vec = info->vec;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i)
        assert_false(device_set_shape(d, wrong[i][0], wrong[i][1]));
    assert_false(device_set_shape(d, 1 << 30, 4));
    assert_true(info->lanes == lanes && info->vec == vec);
    assert_true(device_set_shape(d, 1, 8));
    assert_true(info->lanes == 1 && info->vec == 8);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_filled_in),
        cmocka_unit_test(probes_are_remembered),
        cmocka_unit_test(the_rate_is_measured_again),
        cmocka_unit_test(limits_and_costs_are_tried_not_believed),
        cmocka_unit_test(what_is_remembered_may_be_spoilt),
        cmocka_unit_test(lists_of_devices_are_selected_in_order),
        cmocka_unit_test(devices_open_by_index_word_and_name),
        cmocka_unit_test(an_unknown_selector_lists_the_devices),
        cmocka_unit_test(the_environment_selects_too),
        cmocka_unit_test(shapes_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

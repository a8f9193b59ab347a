/* test_buffers.c -- limits, offsets, fills, events, and order between the two queues.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

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

static void sizes_are_counted(void **state)
{
    device *d = *state;
    error err = { 0 };
    int64_t before = device_allocated_bytes(d);
    device_buffer *a = device_buffer_create(d, 1000, &err), *b = device_buffer_create(d, 1, &err);
    MUST(a && b);
    assert_int_equal(device_buffer_bytes(a), 1000);
    assert_int_equal(device_allocated_bytes(d), before + 1001);
    device_buffer_destroy(a);
    assert_int_equal(device_allocated_bytes(d), before + 1);
    device_buffer_destroy(b);
    device_buffer_destroy(NULL);
    assert_int_equal(device_allocated_bytes(d), before);
}

static void too_large_a_buffer_names_the_limit(void **state)
{
    device *d = *state;
    error err = { 0 };
    int64_t limit = device_get_info(d)->max_buffer_bytes;
    assert_null(device_buffer_create(d, limit + 1, &err));
    assert_int_equal(err.code, ERROR_ROOM);
    assert_non_null(strstr(err.message, "in one buffer"));
    assert_non_null(strstr(err.message, "GiB"));
    assert_int_equal(device_allocated_bytes(d), 0);
}

/* On a device made small. */
static void what_is_free_is_tried(void **state)
{
    device *d = *state;
    error err = { 0 };
    device_info *info = (device_info *)(uintptr_t)device_get_info(d);
    const int64_t memory = info->memory_bytes, largest = info->max_buffer_bytes;
    info->memory_bytes = 40 << 20;
    info->max_buffer_bytes = 16 << 20;
    assert_int_equal(device_free_bytes(d), 40 << 20);
    device_buffer *a = device_buffer_create(d, 16 << 20, &err), *b = device_buffer_create(d, 15 << 20, &err);
    MUST(a && b);
    const int64_t peak = device_peak_bytes(d);
    assert_true(peak >= 31 << 20);
    assert_int_equal(device_refused_bytes(d), 0);
    assert_int_equal(device_free_bytes(d), 9 << 20);
    assert_null(device_buffer_create(d, 10 << 20, &err));
    assert_int_equal(err.code, ERROR_ROOM);
    assert_int_equal(device_refused_bytes(d), 10 << 20);
    device_buffer_destroy(a);
    device_buffer_destroy(b);
    assert_int_equal(device_allocated_bytes(d), 0);
    assert_int_equal(device_peak_bytes(d), peak);
    info->memory_bytes = memory;
    info->max_buffer_bytes = largest;
}

static void memory_can_be_limited(void **state)
{
    (void)state;
    static const char *const wrong[] = { "x", "0", "-1", "2/", "2/x", "2/0.5/1", " 2", "1e9" };
    error err = { 0 };
    setenv("DALLE_CL_MEMORY", "0.5/0.25", 1);
    device *d = device_open(NULL, &err);
    MUST(d);
    assert_int_equal(device_get_info(d)->memory_bytes, 512 << 20);
    assert_int_equal(device_get_info(d)->max_buffer_bytes, 256 << 20);
    device_close(d);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        setenv("DALLE_CL_MEMORY", wrong[i], 1);
        device_info *infos = NULL;
        assert_null(device_open(NULL, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_non_null(strstr(err.message, "DALLE_CL_MEMORY is '"));
        assert_int_equal(device_list(&infos, false, &err), -1);
        assert_null(infos);
    }
    unsetenv("DALLE_CL_MEMORY");
}

static void offsets_hold_in_reads_writes_and_fills(void **state)
{
    device *d = *state;
    error err = { 0 };
    uint8_t host[256], back[256];
    for (int i = 0; i < 256; ++i) host[i] = (uint8_t)(i * 7);
    device_buffer *b = device_buffer_create(d, 256, &err);
    MUST(b);
    MUST(device_write(d, b, 0, host, 256, &err));
    MUST(device_write(d, b, 13, host, 5, &err));
    MUST(device_fill(d, b, 100, 8, 0x04030201u, &err));
    MUST(device_fill(d, b, 0, 0, 1, &err));
    MUST(device_read(d, b, 3, back, 200, &err));
    for (int i = 3; i < 203; ++i) {
        int want = i >= 13 && i < 18 ? (i - 13) * 7 : i >= 100 && i < 108 ? (i - 100) % 4 + 1 : i * 7;
        assert_int_equal(back[i - 3], (uint8_t)want);
    }
    device_buffer_destroy(b);
}

/* Compute fills, transfer reads after it, compute overwrites only after the read. */
static void queues_are_ordered_by_events(void **state)
{
    device *d = *state;
    error err = { 0 };
    enum { WORDS = 1 << 18 };
    uint32_t *back = malloc(WORDS * 4);
    assert_non_null(back);
    device_buffer *b = device_buffer_create(d, WORDS * 4, &err);
    MUST(b);
    for (uint32_t round = 1; round <= 8; ++round) {
        MUST(device_fill(d, b, 0, WORDS * 4, round, &err));
        device_event *filled = device_event_record(d, DEVICE_COMPUTE, &err);
        MUST(filled);
        device_event *copied = device_read_begin(d, DEVICE_TRANSFER, b, 0, back, WORDS * 4, filled, &err);
        MUST(copied);
        MUST(device_queue_wait(d, DEVICE_COMPUTE, copied, &err));
        MUST(device_fill(d, b, 0, WORDS * 4, 1000 + round, &err));
        MUST(device_event_wait(copied, &err));
        for (int i = 0; i < WORDS; ++i)
            if (back[i] != round) fail_msg("round %u: word %d is %u", round, i, back[i]);
        device_event_release(filled);
        device_event_release(copied);
    }
    MUST(device_finish(d, &err));
    device_buffer_destroy(b);
    free(back);
}

static void writes_begin_without_waiting(void **state)
{
    device *d = *state;
    error err = { 0 };
    uint32_t in[64], out[64] = { 0 };
    for (uint32_t i = 0; i < 64; ++i) in[i] = i * i;
    device_buffer *b = device_buffer_create(d, sizeof in, &err);
    MUST(b);
    device_event *written = device_write_begin(d, DEVICE_TRANSFER, b, 0, in, sizeof in, NULL, &err);
    MUST(written);
    MUST(device_queue_wait(d, DEVICE_COMPUTE, written, &err));
    MUST(device_read(d, b, 0, out, sizeof out, &err));
    assert_memory_equal(in, out, sizeof in);
    device_event *nothing = device_write_begin(d, DEVICE_TRANSFER, b, 0, in, 0, written, &err);
    MUST(nothing);
    MUST(device_event_wait(nothing, &err));
    device_event_release(nothing);
    device_event_release(written);
    device_event_release(NULL);
    device_buffer_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_counted),
        cmocka_unit_test(too_large_a_buffer_names_the_limit),
        cmocka_unit_test(what_is_free_is_tried),
        cmocka_unit_test(memory_can_be_limited),
        cmocka_unit_test(offsets_hold_in_reads_writes_and_fills),
        cmocka_unit_test(queues_are_ordered_by_events),
        cmocka_unit_test(writes_begin_without_waiting),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

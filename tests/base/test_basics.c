/* test_basics.c -- errors, the arena, SHA-256, the log and the clock.
 * SPDX-License-Identifier: MIT */
#include "host/base/arena.h"
#include "host/base/dot.h"
#include "host/base/error.h"
#include "host/base/hash.h"
#include "host/base/log.h"
#include "host/base/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void errors(void **state)
{
    (void)state;
    error err = { 0 };
    assert_false(error_set(&err, ERROR_IO, "cannot open '%s'", "x"));
    assert_false(error_prefix(&err, "checkpoint %d", 3));
    assert_string_equal(err.message, "checkpoint 3: cannot open 'x'");
    assert_int_equal(err.code, ERROR_IO);
    assert_int_equal(error_exit_status(&err), 1);
    error_set(&err, ERROR_USAGE, "%s, again", err.message); /* an argument may be the old message */
    assert_string_equal(err.message, "checkpoint 3: cannot open 'x', again");
    assert_int_equal(error_exit_status(&err), 2);
    assert_null(error_null(NULL, ERROR_IO, "nobody listens"));
    char text[2000];
    memset(text, 'a', sizeof text);
    text[1999] = '\0';
    error_set(&err, ERROR_IO, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_string_equal(err.message + sizeof err.message - 5, "a...");
}

static void arenas(void **state)
{
    (void)state;
    arena *a = arena_create();
    assert_non_null(a);
    unsigned char *last = NULL;
    for (size_t size = 0; size < 200000; size = size * 3 / 2 + 1) {
        unsigned char *p = arena_alloc(a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        assert_ptr_not_equal(p, last);
        for (size_t i = 0; i < size; ++i) assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
        last = p;
    }
    assert_null(arena_alloc(a, SIZE_MAX - 3));
    char *copy = arena_strdup(a, "name"), *made = arena_printf(a, "%s.%d", copy, 7);
    assert_string_equal(copy, "name");
    assert_string_equal(made, "name.7");
    arena_destroy(a);
    arena_destroy(NULL);
}

static void hashes(void **state)
{
    (void)state;
    char hex[65], other[65];
    hash h;
    hash_start(&h);
    hash_finish(&h, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_start(&h);
    hash_bytes(&h, "a", 1);
    hash_bytes(&h, "bc", 2);
    hash_finish(&h, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_start(&h);
    hash_text(&h, "ab");
    hash_text(&h, "c");
    hash_finish(&h, hex);
    hash_start(&h);
    hash_text(&h, "a");
    hash_text(&h, "bc");
    hash_finish(&h, other);
    assert_string_not_equal(hex, other);
}

/* In double precision, from the first number on: 2^60 swallows what comes before the last two. */
static void dots(void **state)
{
    (void)state;
    const float a[] = { 3, 1e9f, 0.5f, -1e9f, 2 }, b[] = { 1, 1e9f, 1, 1e9f, 0.25f },
                tiny[] = { 1e8f, 1, -1e8f }, ones[] = { 1, 1, 1 };
    assert_true(dot(tiny, ones, 3) == 1); /* floats would give 0 */
    assert_true(dot(a, b, 5) == 0.5 && dot(a, b, 1) == 3 && dot(a, b, 0) == 0);
}

static void log_levels(void **state)
{
    (void)state;
    assert_int_equal(log_get_level(), LOG_NORMAL);
    log_set_level(LOG_QUIET);
    assert_int_equal(log_get_level(), LOG_QUIET);
    log_warn("not shown");
    log_info("not shown");
    log_verbose("not shown");
}

static void clock_and_order(void **state)
{
    (void)state;
    double before = timing_now(), times[] = { 3.0, -1.0, 2.0, 2.0, 0.5 };
    timing_sort(times, 5);
    const double want[] = { -1.0, 0.5, 2.0, 2.0, 3.0 };
    assert_memory_equal(times, want, sizeof want);
    while (timing_now() == before) {
    }
    assert_true(timing_now() > before && timing_now() - before < 60.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors), cmocka_unit_test(arenas),     cmocka_unit_test(hashes),
        cmocka_unit_test(dots),   cmocka_unit_test(log_levels), cmocka_unit_test(clock_and_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_timing.c -- the clock, and since when a process runs.
 * SPDX-License-Identifier: MIT */
#include "host/base/timing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void a_process_knows_since_when_it_runs(void **state)
{
    (void)state;
    const double first = timing_of_process(), now = timing_now();
    if (first < 0) skip(); /* no /proc */
    assert_true(first < 600);
    usleep(200000);
    const double passed = timing_of_process() - first, waited = timing_now() - now;
    assert_true(passed > waited - 0.05 && passed < waited + 0.05);
}

/* A child's time begins with itself. */
static void a_child_begins_anew(void **state)
{
    (void)state;
    const double first = timing_of_process();
    if (first < 0) skip();
    usleep(300000);
    pid_t child = fork();
    if (child == 0) _exit(timing_of_process() < first + 0.25 ? 0 : 1);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void times_are_sorted(void **state)
{
    (void)state;
    double times[] = { 3, 1, 2 };
    timing_sort(times, 3);
    for (int i = 0; i < 3; ++i) assert_float_equal(times[i], i + 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_knows_since_when_it_runs),
        cmocka_unit_test(a_child_begins_anew),
        cmocka_unit_test(times_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

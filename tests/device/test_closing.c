/* test_closing.c -- a closed device leaves no thread behind that works on while the process ends.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A thread has its name once it has begun to work. */
static device *opened_and_used(void)
{
    error err = { 0 };
    float numbers[4] = { 1, 2, 3, 4 };
    device *d = device_or_skip();
    device_buffer *b = device_buffer_create(d, sizeof numbers, &err);
    if (!b || !device_write(d, b, 0, numbers, sizeof numbers, &err) ||
        !device_read(d, b, 0, numbers, sizeof numbers, &err) || !device_finish(d, &err))
        fail_msg("%s", err.message);
    device_buffer_destroy(b);
    return d;
}

static void queues_threads_end_with_their_device(void **state)
{
    (void)state;
    device *first = opened_and_used();
    for (int i = 0; i < 10; ++i) {
        device_close(opened_and_used());
        assert_in_range(queue_threads(), 0, 2);
    }
    device_close(first);
    assert_int_equal(queue_threads(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(queues_threads_end_with_their_device) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* device_fixture.h -- a group of tests that shares a device, and leaves nothing allocated on it.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_SUPPORT_DEVICE_FIXTURE_H
#define DALLE_CL_TESTS_SUPPORT_DEVICE_FIXTURE_H

#include "tests/support/device_or_skip.h"

static device *d;

static int open_device(void **state)
{
    (void)state;
    d = device_or_skip();
    return 0;
}

static int close_device(void **state)
{
    (void)state;
    const int64_t left = device_allocated_bytes(d);
    device_close(d);
    return left != 0;
}

#endif

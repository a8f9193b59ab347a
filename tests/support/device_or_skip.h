/* device_or_skip.h -- tests that need an OpenCL device and find none are skipped (exit status 77).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_SUPPORT_DEVICE_OR_SKIP_H
#define DALLE_CL_TESTS_SUPPORT_DEVICE_OR_SKIP_H

#include "host/device/device.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_SKIPPED 77

/* The device of $DALLE_CL_DEVICE, or the fastest.  Only the lack of any device skips: one that was
 * asked for and is not there, or does not work, is a failure. */
static inline device *device_or_skip(void)
{
    error err = { 0 };
    device_info *infos = NULL;
    int count = device_list(&infos, false, &err);
    free(infos);
    if (count <= 0) {
        fprintf(stderr, "skipped: %s\n", count < 0 ? err.message : "no OpenCL device");
        exit(EXIT_SKIPPED);
    }
    device *d = device_open(NULL, &err);
    if (!d) {
        fprintf(stderr, "%s\n", err.message);
        exit(EXIT_FAILURE);
    }
    return d;
}

/* Given a binary that is none, Mesa 22.3 ends the process (rusticl's program.rs: "unknown version"); the
 * checksum keeps damaged files from it. */
static inline bool survives_bad_binaries(void)
{
    error err = { 0 };
    device *d = device_open(NULL, &err);
    bool mesa = d && strcmp(device_get_info(d)->vendor_word, "mesa") == 0;
    device_close(d);
    return !mesa;
}

#endif

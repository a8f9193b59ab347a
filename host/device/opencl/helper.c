/* helper.c -- the side of the process that helps; see helpers.h.  It opens the device without probing it, and
 * builds until the queue is closed, which the end of the process that it helps does, too.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/helpers.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool say(int64_t job, helper_state state, int64_t offset, int64_t bytes)
{
    const helper_result r = { job, state, offset, bytes };
    return write(HELPER_RESULTS, &r, sizeof r) == (ssize_t)sizeof r;
}

/* The queue's next, for which others read, too.  False: it is closed. */
static bool next(helper_job *record)
{
    for (;;) {
        struct pollfd queue = { .fd = HELPER_JOBS, .events = POLLIN };
        if (poll(&queue, 1, -1) < 0 && errno != EINTR) return false;
        ssize_t got = read(HELPER_JOBS, record, sizeof *record);
        if (got == (ssize_t)sizeof *record) return true;
        if (got >= 0 || (errno != EAGAIN && errno != EINTR)) return false;
    }
}

static char *text_at(int64_t offset, int64_t bytes)
{
    char *text = bytes > 0 ? malloc((size_t)bytes) : NULL;
    if (text && pread(HELPER_TEXTS, text, (size_t)bytes, offset) == bytes && text[bytes - 1] == 0)
        return text;
    free(text);
    return NULL;
}

/* Writes the binary; its size, or 0. */
static int64_t put_binary(cl_program built, int64_t offset)
{
    size_t bytes = 0;
    if (clGetProgramInfo(built, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS ||
        bytes == 0)
        return 0;
    unsigned char *binary = malloc(bytes);
    const bool ok =
        binary && clGetProgramInfo(built, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS &&
        pwrite(HELPER_BINARIES, binary, bytes, offset) == (ssize_t)bytes;
    free(binary);
    return ok ? (int64_t)bytes : 0;
}

static int64_t build(device *d, const char *source, const char *options, int64_t offset)
{
    cl_int status;
    cl_program made = clCreateProgramWithSource(opencl(d)->context, 1, &source, NULL, &status);
    if (status != CL_SUCCESS) return 0;
    const bool ok = clBuildProgram(made, 1, &opencl(d)->id, options, NULL, NULL) == CL_SUCCESS;
    const int64_t bytes = ok ? put_binary(made, offset) : 0;
    clReleaseProgram(made);
    return bytes;
}

static bool work(device *d)
{
    helper_job record;
    for (int64_t offset = 0; next(&record);) {
        if (!say(record.job, HELPER_BEGUN, 0, 0)) return false;
        char *source = text_at(record.offset, record.source_bytes),
             *options = text_at(record.offset + record.source_bytes, record.options_bytes);
        const int64_t bytes = source && options ? build(d, source, options, offset) : 0;
        free(source);
        free(options);
        if (!say(record.job, bytes ? HELPER_DONE : HELPER_FAILED, offset, bytes)) return false;
        offset += bytes;
    }
    return true;
}

int helper_serve(const device_entry *at, const char *identity)
{
    char own[65];
    device *d = connect_device(at, NULL);
    if (!d) return 1;
    device_key(d, "", "", own);
    const bool ok = strcmp(own, identity) == 0 && work(d);
    device_close(d);
    return ok ? 0 : 1;
}

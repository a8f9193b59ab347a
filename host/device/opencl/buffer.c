/* buffer.c -- device memory.
 * Drivers may put off the allocation until first use, where a failure would be hard to explain; so a
 * new buffer is moved to the device at once, and sizes are checked against the limits beforehand.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <stdlib.h>

#define GIB (1024.0 * 1024.0 * 1024.0)

device_buffer *device_buffer_create(device *d, int64_t bytes, error *err)
{
    CHECK(bytes > 0, "a buffer of %lld bytes", (long long)bytes);
    const device_info *info = &d->info;
    if (bytes > info->max_buffer_bytes)
        return error_null(err, ERROR_MEMORY,
                          "device '%s' allows %.2f GiB in one buffer, asked for %.2f GiB (%lld bytes); lower "
                          "the batch, or choose another --device",
                          info->name, (double)info->max_buffer_bytes / GIB, (double)bytes / GIB,
                          (long long)bytes);
    if (bytes > info->memory_bytes - d->allocated)
        return error_null(err, ERROR_MEMORY,
                          "device '%s' has %.2f GiB, %.2f GiB are in use, and %.2f GiB more are needed; "
                          "lower the batch or use f16 storage",
                          info->name, (double)info->memory_bytes / GIB, (double)d->allocated / GIB,
                          (double)bytes / GIB);
    device_buffer *b = calloc(1, sizeof *b);
    if (!b) return error_null(err, ERROR_MEMORY, "out of memory for a buffer's handle");
    cl_int status;
    const char *call = "clCreateBuffer";
    b->memory = clCreateBuffer(d->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &status);
    if (status == CL_SUCCESS) {
        cl_command_queue queue = d->queue[DEVICE_COMPUTE];
        call = "clEnqueueMigrateMemObjects";
        status = clEnqueueMigrateMemObjects(queue, 1, &b->memory, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0,
                                            NULL, NULL);
        if (status != CL_SUCCESS) clReleaseMemObject(b->memory);
    }
    if (status != CL_SUCCESS) {
        status_error(err, status, "%s(%.2f GiB, with %.2f of %.2f GiB in use on '%s')", call,
                     (double)bytes / GIB, (double)d->allocated / GIB, (double)info->memory_bytes / GIB,
                     info->name);
        free(b);
        return NULL;
    }
    b->owner = d;
    b->bytes = bytes;
    d->allocated += bytes;
    return b;
}

void device_buffer_destroy(device_buffer *b)
{
    if (!b) return;
    clReleaseMemObject(b->memory);
    b->owner->allocated -= b->bytes;
    free(b);
}

int64_t device_buffer_bytes(const device_buffer *b)
{
    return b->bytes;
}

int64_t device_allocated_bytes(const device *d)
{
    return d->allocated;
}

/* buffer.c -- device memory.
 * Drivers may put off the allocation until first use, where a failure would be hard to explain; so a
 * new buffer is moved to the device at once.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <stdlib.h>

#define GIB (1024.0 * 1024.0 * 1024.0)

device_buffer *buffer_create(device *d, int64_t bytes, error *err)
{
    opencl_buffer *b = calloc(1, sizeof *b);
    if (!b) return error_null(err, ERROR_MEMORY, "out of memory for a buffer's handle");
    cl_int status;
    const char *call = "clCreateBuffer";
    b->memory = clCreateBuffer(opencl(d)->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &status);
    if (status == CL_SUCCESS) {
        cl_command_queue queue = opencl(d)->queue[DEVICE_COMPUTE];
        call = "clEnqueueMigrateMemObjects";
        status = clEnqueueMigrateMemObjects(queue, 1, &b->memory, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0,
                                            NULL, NULL);
        if (status != CL_SUCCESS) clReleaseMemObject(b->memory);
    }
    if (status == CL_SUCCESS) return &b->common;
    status_error(err, status, "%s(%.4g GiB, with %.4g of %.4g GiB in use on '%s')", call, (double)bytes / GIB,
                 (double)d->allocated / GIB, (double)d->info.memory_bytes / GIB, d->info.name);
    free(b);
    return NULL;
}

void buffer_release(device_buffer *b)
{
    clReleaseMemObject(opencl_memory(b));
}

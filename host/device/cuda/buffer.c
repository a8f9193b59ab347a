/* buffer.c -- device memory.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/cuda.h"

#include <stdlib.h>

#define GIB (1024.0 * 1024.0 * 1024.0)

device_buffer *cuda_buffer_create(device *d, int64_t bytes, error *err)
{
    cuda_buffer *b = calloc(1, sizeof *b);
    if (!b) return error_null(err, ERROR_MEMORY, "out of memory for a buffer's handle");
    if (cuda_connect_enter(d, err)) {
        const int status = cuda(d)->api->cuMemAlloc_v2(&b->memory, (size_t)bytes);
        if (status == CU_SUCCESS) return &b->common;
        cuda_status_error(err, status, "cuMemAlloc(%.2f GiB, with %.2f of %.2f GiB in use on '%s')",
                          (double)bytes / GIB, (double)d->allocated / GIB, (double)d->info.memory_bytes / GIB,
                          d->info.name);
    }
    free(b);
    return NULL;
}

/* The driver waits for what still uses it. */
void cuda_buffer_release(device_buffer *b)
{
    cuda_connect_enter(b->owner, NULL);
    cuda(b->owner)->api->cuMemFree_v2(cuda_memory(b));
}

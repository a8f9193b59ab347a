/* stream.c -- the two streams, which are the device's queues, events, and transfers between host and device.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/cuda.h"

#include <stdlib.h>

typedef struct cuda_event {
    device_event common;
    cu_event event;
} cuda_event;

static const char *stream_name(device_queue q)
{
    return q == DEVICE_COMPUTE ? "compute" : "transfer";
}

/* Whoever waited may now free the host's memory: nothing must still be under way there. */
static bool synchronize(device *d, device_queue q, error *err)
{
    const int status = cuda(d)->api->cuStreamSynchronize(cuda(d)->stream[q]);
    if (status == CU_SUCCESS) return true;
    d->lost = true;
    return cuda_status_error(err, status, "cuStreamSynchronize(%s stream)", stream_name(q));
}

static bool wait_for(device *d, device_queue q, const device_event *e, error *err)
{
    if (!e) return true;
    const int status = cuda(d)->api->cuStreamWaitEvent(cuda(d)->stream[q], ((const cuda_event *)e)->event, 0);
    return status == CU_SUCCESS ||
           cuda_status_error(err, status, "cuStreamWaitEvent(%s stream)", stream_name(q));
}

static bool copy_in(device *d, device_queue q, const device_buffer *to, int64_t offset, const void *from,
                    int64_t bytes, error *err)
{
    const int status = cuda(d)->api->cuMemcpyHtoDAsync_v2(cuda_memory(to) + (cu_pointer)offset, from,
                                                          (size_t)bytes, cuda(d)->stream[q]);
    return status == CU_SUCCESS || cuda_status_error(err, status, "cuMemcpyHtoDAsync(%s stream, %lld bytes)",
                                                     stream_name(q), (long long)bytes);
}

static bool copy_out(device *d, device_queue q, const device_buffer *from, int64_t offset, void *to,
                     int64_t bytes, error *err)
{
    const int status = cuda(d)->api->cuMemcpyDtoHAsync_v2(to, cuda_memory(from) + (cu_pointer)offset,
                                                          (size_t)bytes, cuda(d)->stream[q]);
    return status == CU_SUCCESS || cuda_status_error(err, status, "cuMemcpyDtoHAsync(%s stream, %lld bytes)",
                                                     stream_name(q), (long long)bytes);
}

bool cuda_stream_write(device *d, device_buffer *to, int64_t offset, const void *from, int64_t bytes,
                       error *err)
{
    return cuda_connect_enter(d, err) && copy_in(d, DEVICE_COMPUTE, to, offset, from, bytes, err) &&
           synchronize(d, DEVICE_COMPUTE, err);
}

bool cuda_stream_read(device *d, const device_buffer *from, int64_t offset, void *to, int64_t bytes,
                      error *err)
{
    return cuda_connect_enter(d, err) && copy_out(d, DEVICE_COMPUTE, from, offset, to, bytes, err) &&
           synchronize(d, DEVICE_COMPUTE, err);
}

bool cuda_stream_fill(device *d, device_buffer *b, int64_t offset, int64_t bytes, uint32_t pattern,
                      error *err)
{
    if (!cuda_connect_enter(d, err)) return false;
    const int status = cuda(d)->api->cuMemsetD32Async(cuda_memory(b) + (cu_pointer)offset, pattern,
                                                      (size_t)bytes / 4, cuda(d)->stream[DEVICE_COMPUTE]);
    return status == CU_SUCCESS ||
           cuda_status_error(err, status, "cuMemsetD32Async(%lld bytes)", (long long)bytes);
}

/* An event behind all that the stream has been given. */
static device_event *mark(device *d, device_queue q, error *err)
{
    const cuda_driver *api = cuda(d)->api;
    cuda_event *e = calloc(1, sizeof *e);
    if (!e) return error_null(err, ERROR_MEMORY, "out of memory for an event");
    int status = api->cuEventCreate(&e->event, CU_EVENT_UNTIMED);
    if (status != CU_SUCCESS) {
        cuda_status_error(err, status, "cuEventCreate");
    } else {
        status = api->cuEventRecord(e->event, cuda(d)->stream[q]);
        if (status == CU_SUCCESS) return &e->common;
        cuda_status_error(err, status, "cuEventRecord(%s stream)", stream_name(q));
        api->cuEventDestroy_v2(e->event);
    }
    free(e);
    return NULL;
}

/* The caller gives the host's memory back when there is no event, so that the transfer must have ended. */
static device_event *mark_transfer(device *d, device_queue q, error *err)
{
    device_event *e = mark(d, q, err);
    if (!e) synchronize(d, q, NULL);
    return e;
}

device_event *cuda_stream_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset,
                                      const void *from, int64_t bytes, device_event *after, error *err)
{
    if (!cuda_connect_enter(d, err) || !wait_for(d, q, after, err) ||
        !copy_in(d, q, to, offset, from, bytes, err))
        return NULL;
    return mark_transfer(d, q, err);
}

device_event *cuda_stream_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset,
                                     void *to, int64_t bytes, device_event *after, error *err)
{
    if (!cuda_connect_enter(d, err) || !wait_for(d, q, after, err) ||
        !copy_out(d, q, from, offset, to, bytes, err))
        return NULL;
    return mark_transfer(d, q, err);
}

device_event *cuda_stream_record(device *d, device_queue q, device_event *after, error *err)
{
    return cuda_connect_enter(d, err) && wait_for(d, q, after, err) ? mark(d, q, err) : NULL;
}

bool cuda_stream_event_wait(device_event *e, error *err)
{
    if (!cuda_connect_enter(e->owner, err)) return false;
    const int status = cuda(e->owner)->api->cuEventSynchronize(((cuda_event *)e)->event);
    if (status == CU_SUCCESS) return true;
    e->owner->lost = true;
    return cuda_status_error(err, status, "cuEventSynchronize");
}

void cuda_stream_event_release(device_event *e)
{
    cuda_connect_enter(e->owner, NULL);
    cuda(e->owner)->api->cuEventDestroy_v2(((cuda_event *)e)->event);
}

bool cuda_stream_wait(device *d, device_queue q, device_event *e, error *err)
{
    return cuda_connect_enter(d, err) && wait_for(d, q, e, err);
}

bool cuda_stream_finish(device *d, error *err)
{
    if (!cuda_connect_enter(d, err)) return false;
    const bool computed = synchronize(d, DEVICE_COMPUTE, err);
    return synchronize(d, DEVICE_TRANSFER, computed ? err : NULL) && computed;
}

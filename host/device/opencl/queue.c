/* queue.c -- the two in-order queues, events, and transfers between host and device.
 * Everything enqueued is flushed, so that it starts without anyone waiting for it.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <stdatomic.h>
#include <stdlib.h>

struct device_event {
    cl_event event;
    device *device;
    cl_command_queue queue; /* where it comes from */
};

/* Whoever waited may now free the host's memory: nothing must still be under way there. */
static void wait_or_lose(device *d, cl_command_queue queue)
{
    if (clFinish(queue) != CL_SUCCESS) d->lost = true;
}

/* Reachable, so that leaks that are mistakes still show. */
typedef struct kept {
    void *memory;
    struct kept *next;
} kept;
static _Atomic(kept *) all_kept;

void device_free_host(device *d, void *memory)
{
    if (!d->lost) {
        free(memory);
        return;
    }
    kept *k = malloc(sizeof *k);
    if (!k) return;
    *k = (kept){ memory, all_kept };
    while (!atomic_compare_exchange_weak(&all_kept, &k->next, k)) {
    }
}

static const char *queue_name(device_queue q)
{
    return q == DEVICE_COMPUTE ? "compute" : "transfer";
}

bool queue_create(device *d, device_queue q, bool timed, error *err)
{
    cl_int status;
    cl_command_queue queue =
        clCreateCommandQueue(d->context, d->id, timed ? CL_QUEUE_PROFILING_ENABLE : 0, &status);
    if (status != CL_SUCCESS) return status_error(err, status, "clCreateCommandQueue(%s)", d->info.name);
    /* What was enqueued on the old one comes before all that the new one will be given. */
    status = d->queue[q] ? clFinish(d->queue[q]) : CL_SUCCESS;
    if (status != CL_SUCCESS) {
        clReleaseCommandQueue(queue);
        return status_error(err, status, "clFinish(%s queue)", queue_name(q));
    }
    if (d->queue[q]) clReleaseCommandQueue(d->queue[q]);
    d->queue[q] = queue;
    return true;
}

/* Starts what was enqueued and takes over the driver's event.  The caller gives the host's memory back when
 * this fails, so that the transfer must have ended by then. */
static device_event *start(device *d, device_queue q, cl_event event, error *err)
{
    device_event *e = malloc(sizeof *e);
    cl_int status = e ? clFlush(d->queue[q]) : CL_SUCCESS;
    if (e && status == CL_SUCCESS) {
        *e = (device_event){ event, d, d->queue[q] };
        return e;
    }
    if (e)
        status_error(err, status, "clFlush(%s queue)", queue_name(q));
    else
        error_set(err, ERROR_MEMORY, "out of memory for an event");
    if (clWaitForEvents(1, &event) != CL_SUCCESS) wait_or_lose(d, d->queue[q]);
    clReleaseEvent(event);
    free(e);
    return NULL;
}

static void check_range(const device_buffer *b, int64_t offset, int64_t bytes, const char *what)
{
    CHECK(offset >= 0 && bytes >= 0 && offset <= b->bytes - bytes,
          "%s of %lld bytes at %lld in a buffer of %lld", what, (long long)bytes, (long long)offset,
          (long long)b->bytes);
}

bool device_write(device *d, device_buffer *to, int64_t offset_bytes, const void *from, int64_t bytes,
                  error *err)
{
    check_range(to, offset_bytes, bytes, "write");
    if (bytes == 0) return true;
    cl_int status = clEnqueueWriteBuffer(d->queue[DEVICE_COMPUTE], to->memory, CL_TRUE, (size_t)offset_bytes,
                                         (size_t)bytes, from, 0, NULL, NULL);
    if (status == CL_SUCCESS) return true;
    return status_error(err, status, "clEnqueueWriteBuffer(%lld bytes)", (long long)bytes);
}

bool device_read(device *d, const device_buffer *from, int64_t offset_bytes, void *to, int64_t bytes,
                 error *err)
{
    check_range(from, offset_bytes, bytes, "read");
    if (bytes == 0) return true;
    cl_int status = clEnqueueReadBuffer(d->queue[DEVICE_COMPUTE], from->memory, CL_TRUE, (size_t)offset_bytes,
                                        (size_t)bytes, to, 0, NULL, NULL);
    if (status == CL_SUCCESS) return true;
    return status_error(err, status, "clEnqueueReadBuffer(%lld bytes)", (long long)bytes);
}

/* Nothing to move still needs an event that comes after `after`. */
static device_event *marker(device *d, device_queue q, device_event *after, error *err)
{
    cl_event event;
    cl_int status =
        clEnqueueMarkerWithWaitList(d->queue[q], after ? 1 : 0, after ? &after->event : NULL, &event);
    if (status == CL_SUCCESS) return start(d, q, event, err);
    status_error(err, status, "clEnqueueMarkerWithWaitList(%s queue)", queue_name(q));
    return NULL;
}

device_event *device_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset_bytes,
                                 const void *from, int64_t bytes, device_event *after, error *err)
{
    check_range(to, offset_bytes, bytes, "write");
    if (bytes == 0) return marker(d, q, after, err);
    cl_event event;
    cl_int status =
        clEnqueueWriteBuffer(d->queue[q], to->memory, CL_FALSE, (size_t)offset_bytes, (size_t)bytes, from,
                             after ? 1 : 0, after ? &after->event : NULL, &event);
    if (status == CL_SUCCESS) return start(d, q, event, err);
    status_error(err, status, "clEnqueueWriteBuffer(%s queue, %lld bytes)", queue_name(q), (long long)bytes);
    return NULL;
}

device_event *device_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset_bytes,
                                void *to, int64_t bytes, device_event *after, error *err)
{
    check_range(from, offset_bytes, bytes, "read");
    if (bytes == 0) return marker(d, q, after, err);
    cl_event event;
    cl_int status =
        clEnqueueReadBuffer(d->queue[q], from->memory, CL_FALSE, (size_t)offset_bytes, (size_t)bytes, to,
                            after ? 1 : 0, after ? &after->event : NULL, &event);
    if (status == CL_SUCCESS) return start(d, q, event, err);
    status_error(err, status, "clEnqueueReadBuffer(%s queue, %lld bytes)", queue_name(q), (long long)bytes);
    return NULL;
}

bool device_fill(device *d, device_buffer *b, int64_t offset_bytes, int64_t bytes, uint32_t pattern,
                 error *err)
{
    check_range(b, offset_bytes, bytes, "fill");
    CHECK(offset_bytes % 4 == 0 && bytes % 4 == 0, "fill of %lld bytes at %lld", (long long)bytes,
          (long long)offset_bytes);
    if (bytes == 0) return true;
    cl_int status = clEnqueueFillBuffer(d->queue[DEVICE_COMPUTE], b->memory, &pattern, sizeof pattern,
                                        (size_t)offset_bytes, (size_t)bytes, 0, NULL, NULL);
    if (status != CL_SUCCESS)
        return status_error(err, status, "clEnqueueFillBuffer(%lld bytes)", (long long)bytes);
    status = clFlush(d->queue[DEVICE_COMPUTE]);
    return status == CL_SUCCESS || status_error(err, status, "clFlush(compute queue)");
}

device_event *device_event_record(device *d, device_queue q, error *err)
{
    return marker(d, q, NULL, err);
}

bool device_queue_wait(device *d, device_queue q, device_event *e, error *err)
{
    cl_int status = clEnqueueBarrierWithWaitList(d->queue[q], 1, &e->event, NULL);
    if (status == CL_SUCCESS) return true;
    return status_error(err, status, "clEnqueueBarrierWithWaitList(%s queue)", queue_name(q));
}

bool device_event_wait(device_event *e, error *err)
{
    cl_int status = clWaitForEvents(1, &e->event);
    if (status == CL_SUCCESS) return true;
    wait_or_lose(e->device, e->queue);
    return status_error(err, status, "clWaitForEvents");
}

void device_event_release(device_event *e)
{
    if (!e) return;
    clReleaseEvent(e->event);
    free(e);
}

bool device_finish(device *d, error *err)
{
    bool ok = true;
    for (int q = 0; q < 2; ++q) {
        cl_int status = clFinish(d->queue[q]);
        if (status != CL_SUCCESS && ok)
            ok = status_error(err, status, "clFinish(%s queue)", queue_name((device_queue)q));
    }
    return ok;
}

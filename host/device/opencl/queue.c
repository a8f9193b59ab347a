/* queue.c -- the two in-order queues, events, and transfers between host and device.
 * Everything enqueued is flushed, so that it starts without anyone waiting for it.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"

#include <stdlib.h>
#include <string.h>

typedef struct opencl_event {
    device_event common;
    cl_event event;
    cl_command_queue queue; /* where it comes from */
} opencl_event;

/* The driver's event as the list of those to wait for; NULL: none. */
static const cl_event *driver_event(const device_event *e)
{
    return e ? &((const opencl_event *)e)->event : NULL;
}

/* Whoever waited may now free the host's memory: nothing must still be under way there. */
static void wait_or_lose(device *d, cl_command_queue queue)
{
    if (clFinish(queue) != CL_SUCCESS) d->lost = true;
}

static const char *queue_name(device_queue q)
{
    return q == DEVICE_COMPUTE ? "compute" : "transfer";
}

bool queue_create(device *d, device_queue q, bool timed, error *err)
{
    cl_int status;
    cl_command_queue queue = clCreateCommandQueue(opencl(d)->context, opencl(d)->id,
                                                  timed ? CL_QUEUE_PROFILING_ENABLE : 0, &status);
    if (status != CL_SUCCESS) return status_error(err, status, "clCreateCommandQueue(%s)", d->info.name);
    /* What was enqueued on the old one comes before all that the new one will be given. */
    status = opencl(d)->queue[q] ? clFinish(opencl(d)->queue[q]) : CL_SUCCESS;
    if (status != CL_SUCCESS) {
        clReleaseCommandQueue(queue);
        return status_error(err, status, "clFinish(%s queue)", queue_name(q));
    }
    if (opencl(d)->queue[q]) clReleaseCommandQueue(opencl(d)->queue[q]);
    opencl(d)->queue[q] = queue;
    return true;
}

/* Timestamps cost, so the queue has them only while they are wanted. */
bool queue_timing(device *d, bool on, error *err)
{
    return queue_create(d, DEVICE_COMPUTE, on, err);
}

/* Starts what was enqueued and takes over the driver's event.  The caller gives the host's memory back when
 * this fails, so that the transfer must have ended by then. */
static device_event *start(device *d, device_queue q, cl_event event, error *err)
{
    opencl_event *e = calloc(1, sizeof *e);
    cl_int status = e ? clFlush(opencl(d)->queue[q]) : CL_SUCCESS;
    if (e && status == CL_SUCCESS) {
        e->event = event;
        e->queue = opencl(d)->queue[q];
        return &e->common;
    }
    if (e)
        status_error(err, status, "clFlush(%s queue)", queue_name(q));
    else
        error_set(err, ERROR_MEMORY, "out of memory for an event");
    if (clWaitForEvents(1, &event) != CL_SUCCESS) wait_or_lose(d, opencl(d)->queue[q]);
    clReleaseEvent(event);
    free(e);
    return NULL;
}

bool queue_write(device *d, device_buffer *to, int64_t offset_bytes, const void *from, int64_t bytes,
                 error *err)
{
    cl_int status = clEnqueueWriteBuffer(opencl(d)->queue[DEVICE_COMPUTE], opencl_memory(to), CL_TRUE,
                                         (size_t)offset_bytes, (size_t)bytes, from, 0, NULL, NULL);
    if (status == CL_SUCCESS) return true;
    return status_error(err, status, "clEnqueueWriteBuffer(%lld bytes)", (long long)bytes);
}

bool queue_read(device *d, const device_buffer *from, int64_t offset_bytes, void *to, int64_t bytes,
                error *err)
{
    cl_int status = clEnqueueReadBuffer(opencl(d)->queue[DEVICE_COMPUTE], opencl_memory(from), CL_TRUE,
                                        (size_t)offset_bytes, (size_t)bytes, to, 0, NULL, NULL);
    if (status == CL_SUCCESS) return true;
    return status_error(err, status, "clEnqueueReadBuffer(%lld bytes)", (long long)bytes);
}

device_event *queue_record(device *d, device_queue q, device_event *after, error *err)
{
    cl_event event;
    cl_int status =
        clEnqueueMarkerWithWaitList(opencl(d)->queue[q], after ? 1 : 0, driver_event(after), &event);
    if (status == CL_SUCCESS) return start(d, q, event, err);
    status_error(err, status, "clEnqueueMarkerWithWaitList(%s queue)", queue_name(q));
    return NULL;
}

device_event *queue_write_begin(device *d, device_queue q, device_buffer *to, int64_t offset_bytes,
                                const void *from, int64_t bytes, device_event *after, error *err)
{
    cl_event event;
    cl_int status =
        clEnqueueWriteBuffer(opencl(d)->queue[q], opencl_memory(to), CL_FALSE, (size_t)offset_bytes,
                             (size_t)bytes, from, after ? 1 : 0, driver_event(after), &event);
    if (status == CL_SUCCESS) return start(d, q, event, err);
    status_error(err, status, "clEnqueueWriteBuffer(%s queue, %lld bytes)", queue_name(q), (long long)bytes);
    return NULL;
}

device_event *queue_read_begin(device *d, device_queue q, const device_buffer *from, int64_t offset_bytes,
                               void *to, int64_t bytes, device_event *after, error *err)
{
    cl_event event;
    cl_int status =
        clEnqueueReadBuffer(opencl(d)->queue[q], opencl_memory(from), CL_FALSE, (size_t)offset_bytes,
                            (size_t)bytes, to, after ? 1 : 0, driver_event(after), &event);
    if (status == CL_SUCCESS) return start(d, q, event, err);
    status_error(err, status, "clEnqueueReadBuffer(%s queue, %lld bytes)", queue_name(q), (long long)bytes);
    return NULL;
}

bool queue_fill(device *d, device_buffer *b, int64_t offset_bytes, int64_t bytes, uint32_t pattern,
                error *err)
{
    cl_int status = clEnqueueFillBuffer(opencl(d)->queue[DEVICE_COMPUTE], opencl_memory(b), &pattern,
                                        sizeof pattern, (size_t)offset_bytes, (size_t)bytes, 0, NULL, NULL);
    if (status != CL_SUCCESS)
        return status_error(err, status, "clEnqueueFillBuffer(%lld bytes)", (long long)bytes);
    status = clFlush(opencl(d)->queue[DEVICE_COMPUTE]);
    return status == CL_SUCCESS || status_error(err, status, "clFlush(compute queue)");
}

bool queue_wait(device *d, device_queue q, device_event *e, error *err)
{
    cl_int status = clEnqueueBarrierWithWaitList(opencl(d)->queue[q], 1, driver_event(e), NULL);
    if (status == CL_SUCCESS) return true;
    return status_error(err, status, "clEnqueueBarrierWithWaitList(%s queue)", queue_name(q));
}

bool queue_event_wait(device_event *e, error *err)
{
    cl_int status = clWaitForEvents(1, driver_event(e));
    if (status == CL_SUCCESS) return true;
    wait_or_lose(e->owner, ((opencl_event *)e)->queue);
    return status_error(err, status, "clWaitForEvents");
}

void queue_event_release(device_event *e)
{
    clReleaseEvent(*driver_event(e));
}

/* rusticl 22.3's clFinish returns before the last transfers are done, which then reach into memory that was
 * freed; its events come in time. */
static cl_int finish_one(const device *d, cl_command_queue queue)
{
    cl_event last;
    if (!strstr(d->info.runtime, "rusticl")) return clFinish(queue);
    cl_int status = clEnqueueMarkerWithWaitList(queue, 0, NULL, &last);
    if (status != CL_SUCCESS) return status;
    status = clWaitForEvents(1, &last);
    clReleaseEvent(last);
    return status;
}

bool queue_finish(device *d, error *err)
{
    bool ok = true;
    for (int q = 0; q < 2; ++q) {
        cl_int status = finish_one(d, opencl(d)->queue[q]);
        if (status != CL_SUCCESS && ok)
            ok = status_error(err, status, "clFinish(%s queue)", queue_name((device_queue)q));
    }
    return ok;
}

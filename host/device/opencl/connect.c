/* connect.c -- an open device: its context and queues.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/helpers.h"

#include <clblast_c.h>

#include <stdlib.h>
#include <string.h>

static bool make_context(opencl_device *o, error *err)
{
    const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)o->platform, 0 };
    cl_int status;
    o->context = clCreateContext(properties, 1, &o->id, NULL, NULL, &status);
    if (status == CL_SUCCESS) return true;
    o->context = NULL;
    return status_error(err, status, "clCreateContext(%s)", o->common.info.name);
}

device *connect_device(const device_entry *at, error *err)
{
    opencl_device *o = calloc(1, sizeof *o);
    if (!o) return error_null(err, ERROR_MEMORY, "out of memory while opening device '%s'", at->info.name);
    device *d = &o->common;
    o->platform = at->handle[0];
    o->id = at->handle[1];
    bool ok = device_begin(d, at, err) && make_context(o, err);
    if (ok) clGetDeviceInfo(o->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof o->max_items, o->max_items, NULL);
    if (ok && queue_create(d, DEVICE_COMPUTE, false, err) && queue_create(d, DEVICE_TRANSFER, false, err))
        return d;
    device_close(d);
    return NULL;
}

device *connect_open(const device_entry *at, error *err)
{
    device *d = connect_device(at, err);
    if (d) opencl(d)->helpers = helpers_create(d);
    return d;
}

/* Ends the queues, and waits for the threads that served them where these outlive them. */
static void end_queues(opencl_device *o)
{
    const int threads = strstr(o->common.info.runtime, "rusticl") ? queue_threads() : 0;
    int ended = 0;
    for (int q = 0; q < 2; ++q)
        if (o->queue[q]) {
            clFinish(o->queue[q]);
            clReleaseCommandQueue(o->queue[q]);
            ++ended;
        }
    if (threads) queue_threads_await(threads > ended ? threads - ended : 0);
}

void connect_close(device *d)
{
    opencl_device *o = opencl(d);
    end_queues(o);
    device_buffer_destroy(o->scratch);
    helpers_destroy(o->helpers);
    program_release_all(d);
    /* CLBlast keeps programs of the context in a static cache that would outlive it. */
    if (o->context) CLBlastClearCache();
    if (o->context) clReleaseContext(o->context);
}

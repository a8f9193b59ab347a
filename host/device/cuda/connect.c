/* connect.c -- an open device: its context and streams.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/cuda.h"

#include <stdlib.h>

bool cuda_connect_enter(const device *d, error *err)
{
    const int status = cuda(d)->api->cuCtxSetCurrent(cuda(d)->context);
    return status == CU_SUCCESS || cuda_status_error(err, status, "cuCtxSetCurrent(%s)", d->info.name);
}

static bool make_streams(cuda_device *c, error *err)
{
    int status = c->api->cuDevicePrimaryCtxRetain(&c->context, c->id);
    if (status != CU_SUCCESS) {
        c->context = NULL;
        return cuda_status_error(err, status, "cuDevicePrimaryCtxRetain(%s)", c->common.info.name);
    }
    if (!cuda_connect_enter(&c->common, err)) return false;
    for (int q = 0; q < 2; ++q) {
        status = c->api->cuStreamCreate(&c->stream[q], CU_STREAM_NON_BLOCKING);
        if (status == CU_SUCCESS) continue;
        c->stream[q] = NULL;
        return cuda_status_error(err, status, "cuStreamCreate(%s)", c->common.info.name);
    }
    return true;
}

static bool ask_capability(cuda_device *c, error *err)
{
    static const int asked[2] = { CU_ATTRIBUTE_CAPABILITY_MAJOR, CU_ATTRIBUTE_CAPABILITY_MINOR };
    int answer[2] = { 0 };
    for (int i = 0; i < 2; ++i) {
        const int status = c->api->cuDeviceGetAttribute(&answer[i], asked[i], c->id);
        if (status != CU_SUCCESS)
            return cuda_status_error(err, status, "cuDeviceGetAttribute(compute capability)");
    }
    c->capability = 10 * answer[0] + answer[1];
    return true;
}

device *cuda_connect_open(const device_entry *at, error *err)
{
    const cuda_driver *api = cuda_driver_load(err);
    cuda_device *c = api ? calloc(1, sizeof *c) : NULL;
    if (!api) return NULL;
    if (!c) return error_null(err, ERROR_MEMORY, "out of memory while opening device '%s'", at->info.name);
    device *d = &c->common;
    c->api = api;
    const int status = api->cuDeviceGet(&c->id, (int)(intptr_t)at->handle[0]);
    bool ok = device_begin(d, at, err);
    if (ok && status != CU_SUCCESS) ok = cuda_status_error(err, status, "cuDeviceGet(%s)", at->info.name);
    if (ok && ask_capability(c, err) && make_streams(c, err)) return d;
    device_close(d);
    return NULL;
}

/* The context belongs to the whole process: what was made in it is given back piece by piece. */
void cuda_connect_close(device *d)
{
    cuda_device *c = cuda(d);
    if (!c->context) return;
    cuda_connect_enter(d, NULL);
    for (int q = 0; q < 2; ++q)
        if (c->stream[q]) c->api->cuStreamSynchronize(c->stream[q]);
    cuda_products_close(d);
    cuda_program_release_all(d);
    for (int q = 0; q < 2; ++q)
        if (c->stream[q]) c->api->cuStreamDestroy_v2(c->stream[q]);
    c->api->cuDevicePrimaryCtxRelease_v2(c->id);
}

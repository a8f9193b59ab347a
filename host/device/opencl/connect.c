/* connect.c -- an open device: its context, queues and what is known of it.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/helpers.h"
#include "host/base/file.h"

#include <clblast_c.h>

#include <stdio.h>
#include <stdlib.h>

device *device_connect(cl_platform_id platform, cl_device_id id, const device_info *info, error *err)
{
    device *d = calloc(1, sizeof *d);
    if (!d) return error_null(err, ERROR_MEMORY, "out of memory while opening device '%s'", info->name);
    d->info = *info;
    d->platform = platform;
    d->id = id;
    const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)platform, 0 };
    cl_int status;
    d->context = clCreateContext(properties, 1, &id, NULL, NULL, &status);
    if (status != CL_SUCCESS) {
        d->context = NULL;
        status_error(err, status, "clCreateContext(%s)", info->name);
        device_close(d);
        return NULL;
    }
    clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof d->max_items, d->max_items, NULL);
    if (!queue_create(d, DEVICE_COMPUTE, false, err) || !queue_create(d, DEVICE_TRANSFER, false, err)) {
        device_close(d);
        return NULL;
    }
    d->cache_folder = file_cache_folder();
    return d;
}

void device_close(device *d)
{
    if (!d) return;
    for (int q = 0; q < 2; ++q)
        if (d->queue[q]) {
            clFinish(d->queue[q]);
            clReleaseCommandQueue(d->queue[q]);
        }
    device_buffer_destroy(d->scratch);
    helpers_destroy(d->helpers);
    program_release_all(d);
    /* CLBlast keeps programs of the context in a static cache that would outlive it. */
    if (d->context) CLBlastClearCache();
    if (d->context) clReleaseContext(d->context);
    profile_destroy(d->profile);
    gemm_choices_clear(&d->choices);
    free(d->cache_folder);
    free(d);
}

gemm_choices *device_gemm_choices(device *d)
{
    return &d->choices;
}

bool device_cache_file(const device *d, const char *kind, const char *key, char **path, error *err)
{
    char hash[65], name[96];
    *path = NULL;
    if (!d->cache_folder) return true;
    program_cache_key(d, key, kind, hash);
    snprintf(name, sizeof name, "%s-%.32s.json", kind, hash);
    *path = file_join(d->cache_folder, name);
    return *path || error_set(err, ERROR_MEMORY, "out of memory for a path in the cache folder");
}

const device_info *device_get_info(const device *d)
{
    return &d->info;
}

const char *device_choice_reason(const device *d)
{
    return d->choice;
}

bool device_set_shape(device *d, int lanes, int vec)
{
    bool legal_lanes = lanes >= 1 && lanes <= d->info.max_group && (lanes & (lanes - 1)) == 0;
    bool legal_vec = vec == 1 || vec == 2 || vec == 4 || vec == 8 || vec == 16;
    if (!legal_lanes || !legal_vec) return false;
    d->info.lanes = lanes;
    d->info.vec = vec;
    return true;
}

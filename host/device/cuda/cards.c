/* cards.c -- which cards CUDA's driver has, and what it says of them.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/cuda.h"

#include <stdio.h>
#include <string.h>

/* A card being described, and the first of the driver's answers that failed to come. */
typedef struct asked {
    const cuda_driver *api;
    int id;
    error err;
} asked;

static void note(asked *a, int status, const char *call)
{
    if (status != CU_SUCCESS && a->err.code == ERROR_NONE) cuda_status_error(&a->err, status, "%s", call);
}

static int attribute(asked *a, int what, const char *call)
{
    int value = 0;
    note(a, a->api->cuDeviceGetAttribute(&value, what, a->id), call);
    return value;
}
#define ATTRIBUTE(a, what) attribute(a, CU_ATTRIBUTE_##what, "cuDeviceGetAttribute(" #what ")")

/* The kernel's module has the driver's full version, "580.159.04"; libcuda says only which CUDA it has. */
static void driver_version(char *out, size_t size)
{
    FILE *file = fopen("/sys/module/nvidia/version", "re");
    out[0] = 0;
    if (file && fgets(out, (int)size, file)) out[strcspn(out, "\n")] = 0;
    if (file) fclose(file);
    const int version = cuda_driver_version();
    if (!out[0]) snprintf(out, size, "CUDA %d.%d", version / 1000, version % 1000 / 10);
}

static void describe(asked *a, device_info *info)
{
    size_t memory = 0;
    error none = { 0 };
    char target[CUDA_TARGET_SIZE];
    note(a, a->api->cuDeviceGetName(info->name, sizeof info->name, a->id), "cuDeviceGetName");
    note(a, a->api->cuDeviceTotalMem_v2(&memory, a->id), "cuDeviceTotalMem");
    const int major = ATTRIBUTE(a, CAPABILITY_MAJOR), minor = ATTRIBUTE(a, CAPABILITY_MINOR);
    snprintf(info->vendor, sizeof info->vendor, "NVIDIA Corporation");
    snprintf(info->vendor_word, sizeof info->vendor_word, "nvidia");
    snprintf(info->runtime, sizeof info->runtime, "CUDA");
    cuda_program_versions(info->runtime_version, sizeof info->runtime_version);
    snprintf(info->version, sizeof info->version, "compute capability %d.%d", major, minor);
    driver_version(info->driver, sizeof info->driver);
    info->kind = DEVICE_GPU;
    info->compute_units = ATTRIBUTE(a, MULTIPROCESSORS);
    info->memory_bytes = info->max_buffer_bytes = (int64_t)memory;
    info->local_bytes = ATTRIBUTE(a, SHARED_BYTES);
    info->max_group = ATTRIBUTE(a, MAX_THREADS);
    info->preferred_multiple = ATTRIBUTE(a, WARP);
    info->vector_width = 1;
    const bool prohibited = ATTRIBUTE(a, COMPUTE_MODE) == CU_MODE_PROHIBITED;
    info->usable =
        a->err.code == ERROR_NONE && !prohibited && cuda_program_target(10 * major + minor, target, &none);
    if (!info->usable)
        snprintf(info->reason, sizeof info->reason, "%.500s",
                 a->err.code != ERROR_NONE ? a->err.message
                 : prohibited ? "its compute mode is 'prohibited'; `nvidia-smi -c 0` allows programs again"
                              : none.message);
    if (info->max_group < 1) info->max_group = 1;
    device_default_shape(info);
}

bool cuda_cards_list(device_listing *l, error *err)
{
    int count = 0;
    const cuda_driver *api = cuda_driver_load(err);
    if (!api) return false;
    int status = api->cuInit(0);
    if (status != CU_SUCCESS) return cuda_status_error(err, status, "cuInit");
    status = api->cuDeviceGetCount(&count);
    if (status == CU_SUCCESS && count == 0) status = CU_NO_DEVICE;
    if (status != CU_SUCCESS) return cuda_status_error(err, status, "cuDeviceGetCount");
    for (int i = 0; i < count; ++i) {
        asked a = { .api = api };
        device_entry *e = device_listing_add(l, &cuda_backend, err);
        if (!e) return false;
        e->handle[0] = (void *)(intptr_t)i;
        note(&a, api->cuDeviceGet(&a.id, i), "cuDeviceGet");
        describe(&a, &e->info);
        if (!e->info.name[0]) snprintf(e->info.name, sizeof e->info.name, "CUDA card %d", i);
    }
    return true;
}

/* probe_run.c -- running one probe kernel.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/probe.h"
#include "host/base/timing.h"

#include <stdio.h>
#include <string.h>

device_launches *probe_record(device *d, const char *file, const char *kernel, const char *options,
                              device_buffer *out, device_buffer *in, int number, size_t global, size_t local,
                              error *err)
{
    device_launches *list = device_launches_create(d, err);
    device_launch launch = { .file = file,
                             .kernel = kernel,
                             .options = options,
                             .rank = 1,
                             .global = { global },
                             .local = { local },
                             .arg_count = 3,
                             .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = out },
                                       { .kind = DEVICE_ARG_BUFFER, .buffer = in },
                                       { .kind = DEVICE_ARG_INT, .integer = number } } };
    if (list && device_launches_add(list, &launch, err)) return list;
    device_launches_destroy(list);
    return NULL;
}

bool probe_wait(device *d, device_launches *list, error *err)
{
    return device_launches_run(list, 0, device_launches_count(list), err) && device_finish(d, err);
}

bool probe_run(device *d, const char *file, const char *kernel, const char *options, device_buffer *out,
               device_buffer *in, int number, size_t global, size_t local, error *err)
{
    device_launches *list = probe_record(d, file, kernel, options, out, in, number, global, local, err);
    bool ok = list && probe_wait(d, list, err);
    device_launches_destroy(list);
    return ok;
}

bool probe_extension_listed(const device *d, const char *extension)
{
    char text[8192] = "";
    return clGetDeviceInfo(d->id, CL_DEVICE_EXTENSIONS, sizeof text - 1, text, NULL) == CL_SUCCESS &&
           strstr(text, extension) != NULL;
}

bool probe_worth_trying(const device *d, const char *extension)
{
    bool complains = strcmp(d->info.vendor_word, "pocl") == 0 || strcmp(d->info.vendor_word, "oclgrind") == 0;
    return !complains || probe_extension_listed(d, extension);
}

int probe_subgroup_size(device *d, device_buffer *out, device_buffer *in, int asked)
{
    int got[2] = { 0 }, items = d->info.max_group < 64 ? (int)d->info.max_group : 64;
    char options[64];
    snprintf(options, sizeof options, "-DPROBE_SUBGROUPS -DPROBE_SUBGROUP_SIZE=%d", asked);
    if (!probe_run(d, "device/probe", "probe_subgroups", options, out, in, items, (size_t)items,
                   (size_t)items, NULL) ||
        !device_read(d, out, 0, got, sizeof got, NULL))
        return 0;
    return got[1] == 1 && got[0] > 1 ? got[0] : 0;
}

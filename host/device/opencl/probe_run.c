/* probe_run.c -- probes of OpenCL alone: extensions, subgroups, joined launches.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/probe.h"

#include <stdio.h>
#include <string.h>

bool probe_extension_listed(const device *d, const char *extension)
{
    char text[8192] = "";
    return clGetDeviceInfo(opencl(d)->id, CL_DEVICE_EXTENSIONS, sizeof text - 1, text, NULL) == CL_SUCCESS &&
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

/* ---- Joined launches ---- */

enum { JOIN_GROUPS = 8, JOIN_SUMS = 64, JOIN_PASSES = 100000, JOIN_TIMES = 3 };

static void expected_of_join(int out[2 * JOIN_SUMS])
{
    for (int time = 0; time < JOIN_TIMES; ++time) {
        for (int g = 0; g < JOIN_GROUPS; ++g)
            out[g] += JOIN_PASSES + out[JOIN_SUMS + JOIN_GROUPS - 1 - g] % 5;
        for (int g = 0; g < JOIN_GROUPS; ++g) {
            int sum = 0;
            for (int i = 0; i < JOIN_GROUPS; ++i) sum += out[i] % (g + 2) * 3;
            out[JOIN_SUMS + g] = sum;
        }
    }
}

static bool add_probe(device_launches *list, const char *kernel, device_buffer *out, device_buffer *in,
                      int number)
{
    device_launch launch = probe_launch("device/probe_join", kernel, "", out, in, number, JOIN_GROUPS, 1);
    return device_launches_add(list, &launch, NULL);
}

/* Only on CPUs, where handing over between threads costs more than a token's kernels.  Not in Oclgrind, which
 * would call it what it is, a race on purpose. */
bool probe_joins(device *d, device_buffer *out, device_buffer *in)
{
    int got[2 * JOIN_SUMS] = { 0 }, want[2 * JOIN_SUMS] = { 0 };
    if (d->info.kind != DEVICE_CPU || strcmp(d->info.vendor_word, "oclgrind") == 0) return false;
    device_launches *list = device_launches_create(d, NULL);
    d->info.joins = true;
    if (list) device_launches_defer(list);
    bool ok = list && add_probe(list, "probe_join_count", out, in, JOIN_PASSES) &&
              add_probe(list, "probe_join_sum", out, in, 3) && device_launches_join(list, NULL, 0, NULL) &&
              device_launches_joined(list) && device_write(d, out, 0, got, sizeof got, NULL) &&
              device_launches_repeat(list, 0, 2, JOIN_TIMES, NULL) &&
              device_read(d, out, 0, got, sizeof got, NULL);
    device_launches_destroy(list);
    expected_of_join(want);
    return ok && memcmp(got, want, sizeof got) == 0;
}

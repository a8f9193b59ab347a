/* probe_costs.c -- what `dalle-cl devices` shows beyond what a device is chosen by, of every kind of device:
 * the limits that hold when tried, and the cost of launches and copies.
 * A probe that fails leaves its value at 0; it never makes a device unusable.
 * SPDX-License-Identifier: MIT */
#include "host/device/probe.h"
#include "host/base/timing.h"

#include <stdio.h>

#define MIB               ((int64_t)1 << 20)
#define COPY_BYTES_MAX    (64 * MIB)
#define COPY_SECONDS      0.01 /* long enough for the clock */
#define LAUNCHES_IN_A_ROW 64
#define ROUND_TRIPS       15
#define LOCAL_ITEMS       16 /* llvmpipe allows 32 work-items for a kernel with a large local array */

/* ---- Limits that hold when tried ------------------------------------------------------------- */

static bool buffer_works(device *d, int64_t bytes)
{
    device_buffer *b = device_buffer_create(d, bytes, NULL);
    const uint32_t ones = 0x01010101u, twos = 2 * ones;
    uint32_t first = 0, last = 0;
    bool ok = b && device_write(d, b, 0, &ones, 4, NULL) && device_write(d, b, bytes - 4, &twos, 4, NULL) &&
              device_read(d, b, 0, &first, 4, NULL) && device_read(d, b, bytes - 4, &last, 4, NULL);
    device_buffer_destroy(b);
    return ok && first == ones && last == twos;
}

static void largest_buffer(device *d)
{
    int64_t bytes = d->info.max_buffer_bytes / 4 * 4;
    while (bytes >= MIB && !buffer_works(d, bytes)) bytes = bytes / 8 * 4;
    d->info.probed_buffer_bytes = bytes >= MIB ? bytes : 0;
}

static bool local_works(device *d, device_buffer *out, device_buffer *in, int64_t bytes)
{
    int items = d->info.max_group < LOCAL_ITEMS ? (int)d->info.max_group : LOCAL_ITEMS, wrong[LOCAL_ITEMS];
    char options[64];
    snprintf(options, sizeof options, "-DPROBE_LOCAL=%lld", (long long)(bytes / 4));
    if (!probe_run(d, "device/probe", "probe_local", options, out, in, 5, (size_t)items, (size_t)items,
                   NULL) ||
        !device_read(d, out, 0, wrong, items * 4, NULL))
        return false;
    for (int i = 0; i < items; ++i)
        if (wrong[i] != 0) return false;
    return true;
}

static void local_memory(device *d, device_buffer *out, device_buffer *in)
{
    int64_t bytes = d->info.local_bytes / 4 * 4;
    while (bytes >= 1024 && !local_works(d, out, in, bytes)) bytes = bytes / 8 * 4;
    d->info.probed_local_bytes = bytes >= 1024 ? bytes : 0;
}

/* ---- Costs ----------------------------------------------------------------------------------- */

/* Seconds of running the list, the result of its last launch read: rusticl 22.3 returns early from
 * clFinish. */
static double time_list(device *d, device_launches *list, const device_buffer *out)
{
    uint16_t last;
    double before = timing_now();
    if (!device_launches_run(list, 0, device_launches_count(list), NULL) ||
        !device_read(d, out, 0, &last, sizeof last, NULL))
        return 0;
    return timing_now() - before;
}

static void launch_costs(device *d, device_buffer *out, device_buffer *in)
{
    device_launch one = { .file = "device/probe",
                          .kernel = "probe_half_storage",
                          .rank = 1,
                          .global = { 1 },
                          .local = { 1 },
                          .arg_count = 3,
                          .args = { { .kind = DEVICE_ARG_BUFFER, .buffer = out },
                                    { .kind = DEVICE_ARG_BUFFER, .buffer = in },
                                    { .kind = DEVICE_ARG_INT, .integer = 1 } } };
    device_launches *single = device_launches_create(d, NULL), *many = device_launches_create(d, NULL);
    bool ok = single && many && device_launches_add(single, &one, NULL);
    for (int i = 0; ok && i < LAUNCHES_IN_A_ROW; ++i) ok = device_launches_add(many, &one, NULL);
    double trips[ROUND_TRIPS], rows[ROUND_TRIPS];
    ok = ok && time_list(d, single, out) > 0 && time_list(d, many, out) > 0;
    for (int i = 0; ok && i < ROUND_TRIPS; ++i) {
        trips[i] = time_list(d, single, out);
        rows[i] = time_list(d, many, out);
        ok = trips[i] > 0 && rows[i] > 0;
    }
    device_launches_destroy(single);
    device_launches_destroy(many);
    if (!ok) return;
    timing_sort(trips, ROUND_TRIPS);
    timing_sort(rows, ROUND_TRIPS);
    double trip = trips[ROUND_TRIPS / 2], row = rows[ROUND_TRIPS / 2];
    d->info.round_trip_us = trip * 1e6;
    d->info.launch_us = row > trip ? (row - trip) / (LAUNCHES_IN_A_ROW - 1) * 1e6 : 0;
}

static double time_copy(device *d, device_buffer *to, const device_buffer *from, int64_t bytes)
{
    uint32_t last = 0;
    device_launches *list = device_launches_create(d, NULL);
    bool ok = list && device_launches_add_copy(list, "copy", to, 0, from, 0, bytes, NULL);
    double elapsed = 0;
    for (int i = 0; ok && i < 3; ++i) { /* the first run touches the pages */
        double before = timing_now();
        ok = device_launches_run(list, 0, 1, NULL) && device_read(d, to, bytes - 4, &last, 4, NULL);
        double once = timing_now() - before;
        if (i == 1 || once < elapsed) elapsed = once;
    }
    device_launches_destroy(list);
    return ok ? elapsed : 0;
}

/* Twice the size until the copy is long enough for the clock. */
static void copy_rate(device *d)
{
    int64_t limit = d->info.max_buffer_bytes < COPY_BYTES_MAX ? d->info.max_buffer_bytes : COPY_BYTES_MAX;
    for (int64_t bytes = MIB; bytes <= limit; bytes *= 2) {
        device_buffer *from = device_buffer_create(d, bytes, NULL),
                      *to = device_buffer_create(d, bytes, NULL);
        double elapsed = 0;
        if (from && to && device_fill(d, from, 0, bytes, 1, NULL)) elapsed = time_copy(d, to, from, bytes);
        device_buffer_destroy(from);
        device_buffer_destroy(to);
        if (elapsed <= 0) return;
        d->info.copy_gbs = 2e-9 * (double)bytes / elapsed;
        if (elapsed > COPY_SECONDS && bytes >= 16 * MIB) return;
        if (elapsed > 10 * COPY_SECONDS) return;
    }
}

void probe_costs(device *d, device_buffer *out, device_buffer *in)
{
    largest_buffer(d);
    local_memory(d, out, in);
    launch_costs(d, out, in);
    copy_rate(d);
    d->info.measured = true;
}

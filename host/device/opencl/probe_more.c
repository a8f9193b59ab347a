/* probe_more.c -- what `dalle-cl devices` shows beyond what a device is chosen by: matrix units, subgroup
 * sizes, command buffers, the limits that hold when tried, and the cost of launches and copies.
 * A probe that fails leaves its value at 0 or "absent"; it never makes a device unusable.
 * SPDX-License-Identifier: MIT */
#define CL_ENABLE_BETA_EXTENSIONS /* cl_khr_command_buffer */
#include "host/device/opencl/probe.h"
#include "host/base/timing.h"

#include <CL/cl_ext.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB               ((int64_t)1 << 20)
#define COPY_BYTES_MAX    (64 * MIB)
#define COPY_SECONDS      0.01 /* long enough for the clock */
#define LAUNCHES_IN_A_ROW 64
#define ROUND_TRIPS       15
#define LOCAL_ITEMS       16 /* llvmpipe allows 32 work-items for a kernel with a large local array */

/* ---- Matrix units ---------------------------------------------------------------------------- */

/* One way to reach a unit: how cl/device/matrix.cl is built, in which group, and what of C it makes. */
typedef struct unit_form {
    device_unit unit;
    const char *vendor_word, *options;
    int group, rows, columns;
} unit_form;

static const unit_form UNIT_FORMS[] = {
    { DEVICE_UNIT_NVIDIA_MMA, "nvidia", "-DPROBE_NVIDIA_MMA", 32, 16, 8 },
    { DEVICE_UNIT_INTEL_DPAS, "intel", "-DPROBE_INTEL_DPAS=8", 8, 8, 8 },
    { DEVICE_UNIT_INTEL_DPAS, "intel", "-DPROBE_INTEL_DPAS=16", 16, 8, 16 },
    { DEVICE_UNIT_AMD_WMMA, "amd", "-DPROBE_AMD_WMMA", 32, 16, 16 },
    { DEVICE_UNIT_AMD_MFMA, "amd", "-DPROBE_AMD_MFMA", 64, 16, 16 },
};

enum { SIDE = 16 };

/* Whole numbers small enough to be exact in half, different in every row and column. */
static int unit_value(int row, int k)
{
    return (row * 5 + k * 3 + row * k) % 11 - 5;
}

static bool unit_works(device *d, const unit_form *form, device_buffer *out, device_buffer *in)
{
    uint16_t halves[2 * SIDE * SIDE];
    float got[SIDE * SIDE] = { 0 };
    for (int i = 0; i < SIDE * SIDE; ++i) {
        dtype_store(DTYPE_F16, halves, i, (float)unit_value(i / SIDE, i % SIDE));
        dtype_store(DTYPE_F16, halves, SIDE * SIDE + i, (float)unit_value(i % SIDE + 2, i / SIDE));
    }
    if (form->group > d->info.max_group || !device_write(d, in, 0, halves, sizeof halves, NULL) ||
        !device_write(d, out, 0, got, sizeof got, NULL) ||
        !probe_run(d, "device/matrix", "probe_matrix", form->options, out, in, 0, (size_t)form->group,
                   (size_t)form->group, NULL) ||
        !device_read(d, out, 0, got, sizeof got, NULL))
        return false;
    for (int m = 0; m < form->rows; ++m)
        for (int n = 0; n < form->columns; ++n) {
            int sum = 0;
            for (int k = 0; k < SIDE; ++k) sum += unit_value(m, k) * unit_value(k + 2, n);
            if (got[m * SIDE + n] != (float)sum) return false;
        }
    return true;
}

static void probe_units(device *d, device_buffer *out, device_buffer *in)
{
    for (size_t i = 0; i < sizeof UNIT_FORMS / sizeof *UNIT_FORMS; ++i) {
        const unit_form *form = &UNIT_FORMS[i];
        device_found *found = &d->info.units[form->unit];
        bool theirs = strcmp(d->info.vendor_word, form->vendor_word) == 0 && d->info.kind != DEVICE_CPU;
        if (!theirs || *found == DEVICE_PRESENT) continue;
        *found = unit_works(d, form, out, in) ? DEVICE_PRESENT : DEVICE_ABSENT;
    }
}

/* ---- Subgroups of a size asked for ----------------------------------------------------------- */

static void probe_subgroup_sizes(device *d, device_buffer *out, device_buffer *in)
{
    int own = d->info.subgroup_size;
    d->info.subgroup_sizes = 0;
    for (int bit = 1; bit <= 7; ++bit) {
        int size = 1 << bit;
        bool right = size == own || (own > 0 && size >= 4 && size <= 64 && size <= d->info.max_group &&
                                     probe_extension_listed(d, "cl_intel_required_subgroup_size") &&
                                     probe_subgroup_size(d, out, in, size) == size);
        if (right) d->info.subgroup_sizes |= 1 << bit;
    }
}

/* ---- Command buffers ------------------------------------------------------------------------- */

/* An extension's function, by name; the two pointer types cannot be cast into each other in ISO C. */
static void extension_function(const device *d, const char *name, void *pointer, size_t size)
{
    void *address = clGetExtensionFunctionAddressForPlatform(opencl(d)->platform, name);
    memcpy(pointer, &address, size);
}

/* Records probe_rate's cousin (half storage of 256 values) once, replays it, and looks at what it wrote. */
static bool replay_works(device *d, cl_kernel kernel, device_buffer *out)
{
    clCreateCommandBufferKHR_fn create;
    clCommandNDRangeKernelKHR_fn record;
    clFinalizeCommandBufferKHR_fn finalize;
    clEnqueueCommandBufferKHR_fn enqueue;
    clReleaseCommandBufferKHR_fn release;
    extension_function(d, "clCreateCommandBufferKHR", &create, sizeof create);
    extension_function(d, "clCommandNDRangeKernelKHR", &record, sizeof record);
    extension_function(d, "clFinalizeCommandBufferKHR", &finalize, sizeof finalize);
    extension_function(d, "clEnqueueCommandBufferKHR", &enqueue, sizeof enqueue);
    extension_function(d, "clReleaseCommandBufferKHR", &release, sizeof release);
    if (!create || !record || !finalize || !enqueue || !release) return false;
    cl_int status;
    size_t global = PROBE_VALUES, local = 1;
    uint16_t got[PROBE_VALUES];
    cl_command_queue queue = opencl(d)->queue[DEVICE_COMPUTE];
    cl_command_buffer_khr commands = create(1, &queue, NULL, &status);
    if (!commands || status != CL_SUCCESS) return false;
    bool ok =
        record(commands, NULL, NULL, kernel, 1, NULL, &global, &local, 0, NULL, NULL, NULL) == CL_SUCCESS &&
        finalize(commands) == CL_SUCCESS && device_fill(d, out, 0, PROBE_VALUES * 4, 0, NULL) &&
        enqueue(0, NULL, commands, 0, NULL, NULL) == CL_SUCCESS && device_finish(d, NULL) &&
        device_read(d, out, 0, got, sizeof got, NULL);
    release(commands);
    for (int i = 0; ok && i < PROBE_VALUES; ++i) ok = got[i] == 0x3c00; /* 1 */
    return ok;
}

static void probe_command_buffers(device *d, device_buffer *out, device_buffer *in)
{
    float ones[PROBE_VALUES];
    cl_long offset = 0;
    cl_int count = PROBE_VALUES, status;
    for (int i = 0; i < PROBE_VALUES; ++i) ones[i] = 1.0f;
    if (!probe_extension_listed(d, "cl_khr_command_buffer")) {
        d->info.command_buffers = DEVICE_NOT_TRIED;
        return;
    }
    d->info.command_buffers = DEVICE_ABSENT;
    cl_program built = program_get(d, &PROBE_PLAIN, NULL);
    cl_kernel kernel = built ? clCreateKernel(built, "probe_half_storage", &status) : NULL;
    if (!kernel) return;
    const cl_mem to = opencl_memory(out), from = opencl_memory(in);
    bool ok = device_write(d, in, 0, ones, sizeof ones, NULL) &&
              clSetKernelArg(kernel, 0, sizeof to, &to) == CL_SUCCESS &&
              clSetKernelArg(kernel, 1, sizeof offset, &offset) == CL_SUCCESS &&
              clSetKernelArg(kernel, 2, sizeof from, &from) == CL_SUCCESS &&
              clSetKernelArg(kernel, 3, sizeof offset, &offset) == CL_SUCCESS &&
              clSetKernelArg(kernel, 4, sizeof count, &count) == CL_SUCCESS;
    if (ok && replay_works(d, kernel, out)) d->info.command_buffers = DEVICE_PRESENT;
    clReleaseKernel(kernel);
}

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

static void probe_largest_buffer(device *d)
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

static void probe_local_memory(device *d, device_buffer *out, device_buffer *in)
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

static void probe_launches(device *d, device_buffer *out, device_buffer *in)
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
static void probe_copy(device *d)
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

void probe_more(device *d, device_buffer *out, device_buffer *in)
{
    probe_units(d, out, in);
    probe_subgroup_sizes(d, out, in);
    probe_command_buffers(d, out, in);
    probe_largest_buffer(d);
    probe_local_memory(d, out, in);
    probe_launches(d, out, in);
    probe_copy(d);
    d->info.measured = true;
}

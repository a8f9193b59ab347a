/* probe_more.c -- what `dalle-cl devices` shows beyond what a device is chosen by: matrix units, subgroup
 * sizes, command buffers, and, by probe_costs.c, limits and costs.
 * A probe that fails leaves its value at 0 or "absent"; it never makes a device unusable.
 * SPDX-License-Identifier: MIT */
#define CL_ENABLE_BETA_EXTENSIONS /* cl_khr_command_buffer */
#include "host/device/opencl/probe.h"

#include <CL/cl_ext.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void probe_more(device *d, device_buffer *out, device_buffer *in)
{
    probe_units(d, out, in);
    probe_subgroup_sizes(d, out, in);
    probe_command_buffers(d, out, in);
    probe_costs(d, out, in);
}

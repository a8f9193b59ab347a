/* probe.c -- what an OpenCL device can really do, found by compiling and running small kernels
 * (cl/device/probe.cl), because extension strings lie in both directions.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/probe.h"

/* Lanes follow from it, and so do sums: it is no guess. */
static bool probe_multiple(device *d, error *err)
{
    size_t multiple = 1;
    cl_int status;
    cl_program built = program_get(d, &PROBE_PLAIN, err);
    if (!built) return false;
    cl_kernel kernel = clCreateKernel(built, "probe_half_storage", &status);
    if (status != CL_SUCCESS)
        return status_error(err, status, "clCreateKernel(probe_half_storage in device/probe.cl)");
    status = clGetKernelWorkGroupInfo(kernel, opencl(d)->id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
                                      sizeof multiple, &multiple, NULL);
    clReleaseKernel(kernel);
    if (status != CL_SUCCESS)
        return status_error(err, status, "clGetKernelWorkGroupInfo(probe_half_storage)");
    if (multiple >= 1 && multiple <= 1024) d->info.preferred_multiple = (int)multiple;
    return true;
}

/* *passing: something was found absent for want of memory, which may be otherwise the next time. */
static void run_all(device *d, device_buffer *out, device_buffer *in, bool *passing, error *err)
{
    error half = { .code = ERROR_NONE };
    d->info.half_storage = probe_half_storage(d, out, in, err);
    d->info.usable = d->info.half_storage && probe_multiple(d, err);
    if (!d->info.usable) return;
    if (probe_worth_trying(d, "cl_khr_fp16"))
        d->info.half_arithmetic = probe_half_arithmetic(d, out, in, &half);
    if (probe_worth_trying(d, "subgroups")) d->info.subgroup_size = probe_subgroup_size(d, out, in, 0);
    d->info.joins = probe_joins(d, out, in);
    d->info.probe_gflops = probe_rate(d, out, in, err);
    d->info.usable = d->info.probe_gflops > 0;
    const bool tried = gemm_block_units(d, NULL);
    *passing = error_of_memory(&half) || !tried;
}

void probe_device(device_entry *at, bool all)
{
    static const probe_steps steps = { connect_device, run_all, probe_more };
    probe_entry(at, all, &steps);
}

/* opencl.c -- OpenCL as a backend: the table of its functions, and who does a matrix product.
 * SPDX-License-Identifier: MIT */
#include "host/device/opencl/opencl.h"
#include "host/device/probe.h"

static const gemm_provider *const products[] = { &gemm_winograd, &gemm_tile,  &gemm_clblast, &gemm_block,
                                                 &gemm_thin,     &gemm_plain, NULL };

static const gemm_provider *product(device *d, const gemm_desc *desc)
{
    if (d->info.kind == DEVICE_CPU) return gemm_usual(d, desc, &gemm_tile);
    return gemm_usual(d, desc, gemm_block_suits(d, desc) ? &gemm_block : &gemm_clblast);
}

const device_backend opencl_backend = {
    .name = "opencl",
    .prepare = process_prepare,
    .leave = driver_home_leave,
    .help = helper_serve,
    .list = platforms_list,
    .probe = probe_device,
    .open = connect_open,
    .close = connect_close,
    .measure_rate = probe_measure_rate,
    .buffer_create = buffer_create,
    .buffer_release = buffer_release,
    .write = queue_write,
    .read = queue_read,
    .fill = queue_fill,
    .write_begin = queue_write_begin,
    .read_begin = queue_read_begin,
    .event_record = queue_record,
    .event_wait = queue_event_wait,
    .event_release = queue_event_release,
    .queue_wait = queue_wait,
    .finish = queue_finish,
    .launches_create = launch_list,
    .launches_release = launch_release,
    .add = launch_add,
    .add_copy = launch_add_copy,
    .add_fill = launch_add_fill,
    .add_call = launch_add_call,
    .repeat = launch_repeat,
    .defer = launch_defer,
    .join = launch_join,
    .joined = launch_joined,
    .timing = queue_timing,
    .products = products,
    .product = product,
    .blas = &clblast,
#ifdef DALLE_CL_CLFFT
    .fft = &fft_clfft,
#endif
};

/* cuda.c -- CUDA as a backend: the table of its functions, and who does a matrix product.  Launches are not
 * joined, because a graph already saves what joining would.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/cuda.h"
#include "host/device/probe.h"

static const gemm_provider *const products[] = { &gemm_winograd, &cuda_products_gemm, &gemm_block,
                                                 &gemm_thin,     &gemm_plain,         NULL };

static const gemm_provider *product(device *d, const gemm_desc *desc)
{
    return gemm_usual(d, desc, &cuda_products_gemm);
}

const device_backend cuda_backend = {
    .name = "cuda",
    .list = cuda_cards_list,
    .probe = cuda_probe_device,
    .open = cuda_connect_open,
    .close = cuda_connect_close,
    .measure_rate = probe_measure_rate,
    .buffer_create = cuda_buffer_create,
    .buffer_release = cuda_buffer_release,
    .write = cuda_stream_write,
    .read = cuda_stream_read,
    .fill = cuda_stream_fill,
    .write_begin = cuda_stream_write_begin,
    .read_begin = cuda_stream_read_begin,
    .event_record = cuda_stream_record,
    .event_wait = cuda_stream_event_wait,
    .event_release = cuda_stream_event_release,
    .queue_wait = cuda_stream_wait,
    .finish = cuda_stream_finish,
    .launches_create = cuda_launch_list,
    .launches_release = cuda_launch_release,
    .add = cuda_launch_add,
    .add_copy = cuda_launch_add_copy,
    .add_fill = cuda_launch_add_fill,
    .add_call = cuda_launch_add_call,
    .repeat = cuda_run_repeat,
    .products = products,
    .product = product,
    .blas = &cuda_products,
};

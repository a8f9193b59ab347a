/* probe.c -- what a card can really do.  It is opened for it: a card that another program holds shows here.
 * SPDX-License-Identifier: MIT */
#include "host/device/cuda/cuda.h"
#include "host/device/probe.h"

static void choose(device *d, device_buffer *out, device_buffer *in, bool *passing, error *err)
{
    error half = { 0 };
    d->info.half_storage = probe_half_storage(d, out, in, err);
    d->info.usable = d->info.half_storage;
    if (!d->info.usable) return;
    d->info.half_arithmetic = probe_half_arithmetic(d, out, in, &half);
    d->info.probe_gflops = probe_rate(d, out, in, err);
    d->info.usable = d->info.probe_gflops > 0;
    const bool tried = gemm_block_units(d, NULL);
    *passing = error_of_memory(&half) || !tried;
}

void cuda_probe_device(device_entry *at, bool all)
{
    static const probe_steps steps = { cuda_connect_open, choose, probe_costs };
    probe_entry(at, all, &steps);
}

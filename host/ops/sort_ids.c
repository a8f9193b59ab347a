/* sort_ids.c -- see sort_ids.h.
 * SPDX-License-Identifier: MIT */
#include "host/ops/sort_ids.h"

int64_t sort_ids_bytes(int64_t rows, int64_t count)
{
    return (count + 1 + rows) * (int64_t)sizeof(int32_t);
}

bool sort_ids_bind(const node *n, binder *b, const tensor *ids, int64_t count)
{
    /* Each worker reads all ids twice: few workers on a CPU, many on a GPU, where reading is shared. */
    const device_info *d = device_get_info(binder_device(b));
    int64_t workers = d->kind == DEVICE_CPU ? 4 * (int64_t)d->compute_units : 2048;
    int64_t share = (count + workers - 1) / workers;
    kernel_call c = call_begin(b, n, "sort_ids");
    call_workspace(&c, "SCRATCH");
    call_tensor(&c, "IDS", ids);
    call_int(&c, tensor_count(ids));
    call_int(&c, count);
    call_int(&c, share);
    return call_items(&c, (count + share - 1) / share);
}

/* gemm_plain.c -- one element of C a work-item; supports every descriptor.
 * SPDX-License-Identifier: MIT */
#include "host/device/gemm_launch.h"
#include "host/device/gemm_provider.h"

static bool plain_supports(device *d, const gemm_desc *desc)
{
    (void)d;
    (void)desc;
    return true;
}

static bool plain_plan(device *d, const gemm_desc *desc, const char *variant, int64_t *workspace_bytes,
                       void **state, error *err)
{
    (void)variant;
    (void)d;
    (void)desc;
    (void)err;
    *workspace_bytes = 0;
    *state = NULL;
    return true;
}

static bool plain_record(device *d, const gemm_desc *desc, void *state, device_launches *list,
                         const char *label, const gemm_buffers *buffers, error *err)
{
    (void)state;
    const int64_t group = device_get_info(d)->max_group < 32 ? 1 : 32;
    char options[GEMM_OPTIONS_SIZE];
    gemm_launch_options(options, desc, "-DGROUP=%d", (int)group);

    device_launch l = {
        .file = "gemm/plain", .kernel = "gemm_plain", .options = options, .label = label, .rank = 3
    };
    l.global[0] = (size_t)gemm_round_up(desc->n, group);
    l.global[1] = (size_t)desc->m;
    l.global[2] = (size_t)(desc->batch[0] * desc->batch[1]);
    l.local[0] = (size_t)group;
    l.local[1] = l.local[2] = 1;
    gemm_launch_operands(&l, desc, buffers);
    gemm_launch_int(&l, desc->m);
    gemm_launch_int(&l, desc->n);
    gemm_launch_int(&l, desc->k);
    gemm_launch_int(&l, desc->batch[1]);
    gemm_launch_float(&l, desc->alpha);
    gemm_launch_strides(&l, &desc->a);
    gemm_launch_strides(&l, &desc->b);
    gemm_launch_strides(&l, &desc->c);
    gemm_launch_image(&l, &desc->a.image);
    gemm_launch_image(&l, &desc->b.image);
    return device_launches_add(list, &l, err);
}

const gemm_provider gemm_plain = { "plain", plain_supports, plain_plan, plain_record, NULL };

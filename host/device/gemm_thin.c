/* gemm_thin.c -- few rows (decoding): B is read once, and each element's sum has an order that depends
 * on k alone, so that row i of the result is the same, bit for bit, for 1, 3 or 16 rows.
 * SPDX-License-Identifier: MIT */
#include "host/device/gemm_launch.h"
#include "host/device/gemm_provider.h"

/* The tuned shape of one launch. */
typedef struct thin_shape {
    bool dot; /* vectors along k; else along the columns */
    int lanes, lanes_x, vec, rows, columns;
} thin_shape;

static bool thin_supports(device *d, const gemm_desc *desc)
{
    (void)d;
    return !gemm_is_image(&desc->a) && !gemm_is_image(&desc->b);
}

static int largest_power_of_two(int64_t limit)
{
    int p = 1;
    while (2 * (int64_t)p <= limit) p *= 2;
    return p;
}

/* The lane count and vector width fix the order of sums, so they must not depend on m. */
static thin_shape thin_choose(device *d, const gemm_desc *desc)
{
    const device_info *info = device_get_info(d);
    thin_shape s = { .dot = desc->b.row == 1 && desc->k > 1, .lanes = 1, .lanes_x = 1 };
    if (info->kind == DEVICE_CPU) {
        s.vec = info->vector_width >= 16 ? 16 : 8;
        s.rows = desc->m >= 3 ? 4 : (int)desc->m;
        s.columns = s.rows >= 2 ? 2 : 4;
        if (!s.dot) s.rows = desc->m >= 8 ? 8 : largest_power_of_two(desc->m);
    } else {
        s.vec = 4;
        s.lanes = largest_power_of_two(info->max_group < 64 ? info->max_group : 64);
        s.lanes_x = s.lanes >= 16 ? 8 : 1;
        s.rows = desc->m >= 4 ? 4 : largest_power_of_two(desc->m);
        s.columns = 2;
    }
    return s;
}

static bool thin_plan(device *d, const gemm_desc *desc, const char *variant, int64_t *workspace_bytes,
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

static bool thin_record(device *d, const gemm_desc *desc, void *state, device_launches *list,
                        const char *label, const gemm_buffers *buffers, error *err)
{
    (void)state;
    const thin_shape s = thin_choose(d, desc);
    char options[GEMM_OPTIONS_SIZE];
    gemm_launch_options(
        options, desc, "-DLANES=%d -DVEC=%d -DROWS=%d -DCOLUMNS=%d -DLANES_X=%d -DA_UNIT=%d -DB_UNIT=%d",
        s.lanes, s.vec, s.rows, s.columns, s.lanes_x, desc->a.column == 1, s.dot || desc->b.column == 1);

    device_launch l = { .file = "gemm/thin", .options = options, .label = label, .rank = 3 };
    l.kernel = s.dot ? "gemm_thin_dot" : "gemm_thin_sweep";
    const int64_t columns = s.dot ? s.columns : s.lanes_x * s.vec;
    l.global[0] = (size_t)(gemm_ceil_div(desc->n, columns) * s.lanes);
    l.global[1] = 1;
    l.global[2] = (size_t)(desc->batch[0] * desc->batch[1]);
    l.local[0] = (size_t)s.lanes;
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
    return device_launches_add(list, &l, err);
}

const gemm_provider gemm_thin = { "thin", thin_supports, thin_plan, thin_record, NULL };

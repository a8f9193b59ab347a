/* attention_matrix.c -- see attention_matrix.h.
 * SPDX-License-Identifier: MIT */
#include "host/ops/attention_matrix.h"

#include "cl/mask.clh"

#define HEAD_MOST 64 /* whose totals a work-item's registers hold */

/* By device_matrix: the work-items that hold a fragment, and its rows. */
static const struct {
    int lanes, rows;
} UNITS[] = { { 1, 1 }, { 32, 16 }, { 32, 16 }, { 64, 16 }, { 8, 8 }, { 16, 8 } };

static device_matrix unit_of(const node *n, const device *d)
{
    const attention_attributes *a = n->attributes;
    return a->played != DEVICE_MATRIX_NONE ? a->played : device_get_info(d)->matrix_units;
}

/* A group has 64 queries, or 32 where they stay in local memory, of which 32 KiB are enough then.  Played, it
 * is small enough for any device. */
static int units_of(const node *n, device_matrix unit)
{
    const attention_attributes *a = n->attributes;
    const int lanes = UNITS[unit].lanes;
    if (a->played != DEVICE_MATRIX_NONE) return lanes == 8 ? 2 : 1;
    return (UNITS[unit].rows == 8 ? 32 : 64) / UNITS[unit].rows;
}

/* Of a group whose units are two teams (attention_matrix_dkv.cl); AMD's have 256 work-items at most. */
enum { TEAMS = 2 };
static int units_of_keys(const node *n, device_matrix unit)
{
    const int units = units_of(n, unit);
    return units * UNITS[unit].lanes * TEAMS > 256 ? units / 2 : units;
}

bool attention_matrix_takes(const node *n, const device *d)
{
    const tensor *q = n->in[ATTENTION_QUERY];
    const device_matrix unit = unit_of(n, d);
    if (unit == DEVICE_MATRIX_NONE || q->dim[3] % 16 != 0 || q->dim[3] > HEAD_MOST) return false;
    if (q->type != DTYPE_F16 && q->type != DTYPE_BF16) return false;
    return n->in[ATTENTION_KEYS]->type == q->type && n->in[ATTENTION_VALUES]->type == q->type &&
           UNITS[unit].lanes * units_of(n, unit) <= device_get_info(d)->max_group;
}

bool attention_matrix_takes_gradient(const node *n, const device *d)
{
    if (!attention_matrix_takes(n, d) || n->in[ATTENTION_DY]->type != n->in[ATTENTION_QUERY]->type)
        return false;
    const device_matrix unit = unit_of(n, d);
    return UNITS[unit].lanes * units_of_keys(n, unit) * TEAMS <= device_get_info(d)->max_group;
}

static kernel_call begin(const node *n, binder *b, const char *file, const char *kernel, int units)
{
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[ATTENTION_QUERY];
    kernel_call c = call_begin_in(b, n, file, kernel);
    call_define(&c, "HEAD=%lld", (long long)q->dim[3]);
    call_define(&c, "UNITS=%d", units);
    call_define(&c, "MATRIX=%d", (int)unit_of(n, binder_device(b)));
    if (q->type == DTYPE_BF16) call_define(&c, "MATRIX_BF16=1");
    if (a->played != DEVICE_MATRIX_NONE) call_define(&c, "MATRIX_EMULATED");
    return c;
}

static void call_streams(kernel_call *c, const node *n, const struct mask_bands *bands)
{
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[ATTENTION_QUERY];
    mask_call_valid(c, n->in[ATTENTION_VALID]);
    call_int(c, q->dim[0] * q->dim[2]);
    call_int(c, q->dim[2]);
    call_int(c, q->dim[1]);
    mask_call(c, bands);
    call_float(c, a->scale);
}

/* A group of `items` for so many rows of each pair of x. */
static bool run(kernel_call *c, const tensor *x, int rows, int items)
{
    const int64_t groups = x->dim[0] * x->dim[2] * ((x->dim[1] + rows - 1) / rows);
    return call_grid(c, 1, (size_t[]){ (size_t)groups * (size_t)items }, (size_t[]){ (size_t)items });
}

bool attention_matrix_forward(const node *n, binder *b, const struct mask_bands *bands)
{
    const tensor *q = n->in[ATTENTION_QUERY];
    const device_matrix unit = unit_of(n, binder_device(b));
    const int units = units_of(n, unit);
    kernel_call c = begin(n, b, "ops/attention_matrix", "attention_matrix_forward", units);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "LSE", n->out[1]);
    call_tensor(&c, "X", q);
    call_tensor(&c, "K", n->in[ATTENTION_KEYS]);
    call_tensor(&c, "V", n->in[ATTENTION_VALUES]);
    call_streams(&c, n, bands);
    return run(&c, q, units * UNITS[unit].rows, units * UNITS[unit].lanes);
}

static void call_operands(kernel_call *c, const node *n)
{
    call_tensor(c, "X", n->in[ATTENTION_QUERY]);
    call_tensor(c, "K", n->in[ATTENTION_KEYS]);
    call_tensor(c, "V", n->in[ATTENTION_VALUES]);
    call_tensor(c, "DY", n->in[ATTENTION_DY]);
    call_tensor(c, "LSE", n->in[ATTENTION_LSE]);
    call_workspace(c, "DELTA");
}

static bool gradient_of_queries(const node *n, binder *b, const struct mask_bands *bands)
{
    const device_matrix unit = unit_of(n, binder_device(b));
    const int units = units_of(n, unit);
    kernel_call c = begin(n, b, "ops/attention_matrix_dq", "attention_matrix_backward_q", units);
    call_tensor(&c, "DQ", n->out[0]);
    call_operands(&c, n);
    call_streams(&c, n, bands);
    return run(&c, n->in[ATTENTION_QUERY], units * UNITS[unit].rows, units * UNITS[unit].lanes);
}

static bool gradients_of_keys(const node *n, binder *b, const struct mask_bands *bands)
{
    const device_matrix unit = unit_of(n, binder_device(b));
    const int units = units_of_keys(n, unit);
    kernel_call c = begin(n, b, "ops/attention_matrix_dkv", "attention_matrix_backward_kv", units);
    call_tensor(&c, "DK", n->out[1]);
    call_tensor(&c, "DV", n->out[2]);
    call_operands(&c, n);
    call_streams(&c, n, bands);
    return run(&c, n->in[ATTENTION_KEYS], units * UNITS[unit].rows, TEAMS * units * UNITS[unit].lanes);
}

bool attention_matrix_gradient(const node *n, binder *b, const struct mask_bands *bands)
{
    return gradient_of_queries(n, b, bands) && gradients_of_keys(n, b, bands);
}

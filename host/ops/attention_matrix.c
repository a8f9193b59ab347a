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

bool attention_matrix_takes(const node *n, const device *d)
{
    const tensor *q = n->in[ATTENTION_QUERY];
    const device_matrix unit = unit_of(n, d);
    if (unit == DEVICE_MATRIX_NONE || q->dim[3] % 16 != 0 || q->dim[3] > HEAD_MOST) return false;
    if (q->type != DTYPE_F16 && q->type != DTYPE_BF16) return false;
    return n->in[ATTENTION_KEYS]->type == q->type && n->in[ATTENTION_VALUES]->type == q->type &&
           UNITS[unit].lanes * units_of(n, unit) <= device_get_info(d)->max_group;
}

bool attention_matrix_forward(const node *n, binder *b, const struct mask_bands *bands)
{
    const attention_attributes *a = n->attributes;
    const tensor *q = n->in[ATTENTION_QUERY];
    const device_matrix unit = unit_of(n, binder_device(b));
    const int units = units_of(n, unit), rows = units * UNITS[unit].rows;
    kernel_call c = call_begin_in(b, n, "ops/attention_matrix", "attention_matrix_forward");
    call_define(&c, "HEAD=%lld", (long long)q->dim[3]);
    call_define(&c, "UNITS=%d", units);
    call_define(&c, "MATRIX=%d", (int)unit);
    if (q->type == DTYPE_BF16) call_define(&c, "MATRIX_BF16=1");
    if (a->played != DEVICE_MATRIX_NONE) call_define(&c, "MATRIX_EMULATED");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "LSE", n->out[1]);
    call_tensor(&c, "X", q);
    call_tensor(&c, "K", n->in[ATTENTION_KEYS]);
    call_tensor(&c, "V", n->in[ATTENTION_VALUES]);
    mask_call_valid(&c, n->in[ATTENTION_VALID]);
    call_int(&c, q->dim[0] * q->dim[2]);
    call_int(&c, q->dim[2]);
    call_int(&c, q->dim[1]);
    mask_call(&c, bands);
    call_float(&c, a->scale);
    const size_t items = (size_t)(units * UNITS[unit].lanes);
    const size_t groups = (size_t)(q->dim[0] * q->dim[2] * ((q->dim[1] + rows - 1) / rows));
    return call_grid(&c, 1, (size_t[]){ groups * items }, (size_t[]){ items });
}

/* sum.c -- sums along the last axis, over all other axes, over some axes, and of everything; deterministic.
 * Sums of many elements go in two stages: stretches side by side into the node's workspace, then the
 * stretches in order.  Gradients repeat dy.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

typedef struct sum_attributes {
    float factor;
    dtype type; /* of the sums, but for those of everything, which are F32 */
} sum_attributes;

static bool expect_float_input(const node *n)
{
    const tensor *x = n->in[0];
    if (dtype_is_float(x->type)) return true;
    return graph_fail(n->graph, "%s: the input has type %s; a floating type is needed", n->def->name,
                      dtype_name(x->type));
}

/* ---- The gradients: y[i] = factor dy[..], as many as x has ---- */

typedef struct spread_attributes {
    const char *from; /* ROW: dy[i / columns], COLUMN: dy[i mod columns], ONE: dy[0] */
    float factor;
    dtype type;
    int rank;
    int64_t dim[TENSOR_RANK_MAX];
} spread_attributes;

static bool spread_infer(node *n)
{
    const spread_attributes *a = n->attributes;
    return !node_output(n, a->type, a->rank, a->dim)->poison;
}

static bool spread_bind(const node *n, binder *b)
{
    const spread_attributes *a = n->attributes;
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin_in(b, n, "ops/sum", "sum_spread");
    call_define(&c, "SPREAD=SPREAD_%s", a->from);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_float(&c, a->factor);
    call_int(&c, tensor_last(n->out[0]));
    call_int(&c, count);
    return call_elements(&c, count);
}

static const op_def spread = { .name = "sum_spread", .infer = spread_infer, .bind = spread_bind };

static tensor *spread_like(tensor *dy, const tensor *x, const char *from, float factor)
{
    spread_attributes a = { .from = from, .factor = factor, .type = x->type, .rank = x->rank };
    for (int i = 0; i < x->rank; ++i) a.dim[i] = x->dim[i];
    dy = op_contiguous(dy);
    return graph_node1(dy->graph, &spread, 1, &dy, &a, sizeof a);
}

/* ---- Along the last axis ---- */

static bool sum_last_infer(node *n)
{
    const tensor *x = n->in[0];
    const sum_attributes *a = n->attributes;
    int64_t dim[TENSOR_RANK_MAX] = { 0 };
    if (!expect_float_input(n)) return false;
    for (int i = 0; i < x->rank; ++i) dim[i] = i + 1 == x->rank ? 1 : x->dim[i];
    return !node_output(n, a->type, x->rank, dim)->poison;
}

static bool sum_last_bind(const node *n, binder *b)
{
    kernel_call c = call_begin_in(b, n, "ops/sum", "sum_last");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, tensor_last(n->in[0]));
    return call_rows(&c, tensor_rows(n->in[0]));
}

static void sum_last_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = spread_like(dout[0], n->in[0], "ROW", 1.0f);
}

static const op_def sum_last = {
    .name = "sum_last", .infer = sum_last_infer, .bind = sum_last_bind, .grad = sum_last_grad
};

static tensor *sum_last_as(tensor *x, dtype type)
{
    const sum_attributes a = { 1.0f, type };
    x = op_contiguous(x);
    return graph_node1(x->graph, &sum_last, 1, &x, &a, sizeof a);
}

tensor *op_sum_last(tensor *x)
{
    return sum_last_as(x, x->type);
}

/* ---- Over rows ---- */

row_split split_rows(const device *d, int64_t rows, int64_t columns)
{
    const device_info *info = device_get_info(d);
    bool cpu = info->kind == DEVICE_CPU;
    row_split s = { .vectors = cpu ? 4 : 1 };
    int64_t width = (int64_t)info->vec * s.vectors;
    s.blocks = (columns + width - 1) / width;
    /* Enough work-items for the device, but stretches long enough to be worth a second stage. */
    int64_t wanted = (int64_t)info->compute_units * (cpu ? 4 : 512) / s.blocks;
    if (wanted > rows / 16) wanted = rows / 16;
    if (wanted > 1024) wanted = 1024;
    if (wanted < 1) wanted = 1;
    s.rows = (rows + wanted - 1) / wanted;
    s.chunks = (rows + s.rows - 1) / s.rows;
    return s;
}

static bool sum_rows_infer(node *n)
{
    const tensor *x = n->in[0];
    const sum_attributes *a = n->attributes;
    int64_t last = tensor_last(x);
    return expect_float_input(n) && !node_output(n, a->type, 1, &last)->poison;
}

static int64_t sum_rows_workspace(const node *n, device *d, error *err)
{
    (void)err;
    row_split s = split_rows(d, tensor_rows(n->in[0]), tensor_last(n->in[0]));
    return s.chunks > 1 ? s.chunks * tensor_last(n->in[0]) * (int64_t)sizeof(float) : 0;
}

static bool sum_rows_bind(const node *n, binder *b)
{
    const sum_attributes *a = n->attributes;
    const tensor *x = n->in[0];
    int64_t rows = tensor_rows(x), columns = tensor_last(x);
    row_split s = split_rows(binder_device(b), rows, columns);
    kernel_call c = call_begin_in(b, n, "ops/sum", "sum_rows");
    call_define(&c, "VECTORS=%d", s.vectors);
    if (s.chunks > 1)
        call_workspace(&c, "Y");
    else
        call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", x);
    call_int(&c, rows);
    call_int(&c, columns);
    call_int(&c, s.rows);
    call_int(&c, s.blocks);
    call_int(&c, s.chunks);
    call_float(&c, s.chunks > 1 ? 1.0f : a->factor);
    if (!call_items(&c, s.chunks * s.blocks)) return false;
    if (s.chunks == 1) return true;
    c = call_begin_in(b, n, "ops/sum", "sum_rows");
    call_define(&c, "VECTORS=%d", s.vectors);
    call_tensor(&c, "Y", n->out[0]);
    call_workspace(&c, "X");
    call_int(&c, s.chunks);
    call_int(&c, columns);
    call_int(&c, s.chunks);
    call_int(&c, s.blocks);
    call_int(&c, 1);
    call_float(&c, a->factor);
    return call_items(&c, s.blocks);
}

static void sum_rows_grad(node *n, tensor *const *dout, tensor **din)
{
    const sum_attributes *a = n->attributes;
    din[0] = spread_like(dout[0], n->in[0], "COLUMN", a->factor);
}

static const op_def sum_rows = { .name = "sum_rows",
                                 .infer = sum_rows_infer,
                                 .bind = sum_rows_bind,
                                 .grad = sum_rows_grad,
                                 .workspace = sum_rows_workspace };

tensor *sum_rows_times(tensor *x, float factor, dtype type)
{
    sum_attributes a = { factor, type };
    x = op_contiguous(x);
    return graph_node1(x->graph, &sum_rows, 1, &x, &a, sizeof a);
}

tensor *op_sum_rows(tensor *x)
{
    return sum_rows_times(x, 1.0f, x->type);
}

/* ---- Of everything ---- */

static bool sum_all_infer(node *n)
{
    return expect_float_input(n) && !node_output(n, DTYPE_F32, 1, (int64_t[]){ 1 })->poison;
}

/* Groups of the first stage; their number decides the order of the sum, so it is the device's alone. */
static int64_t groups_for(const device *d, int64_t count)
{
    const device_info *info = device_get_info(d);
    int64_t groups = (int64_t)info->compute_units * (info->kind == DEVICE_CPU ? 4 : 16);
    int64_t useful = (count + 4095) / 4096;
    return groups < useful ? groups : useful;
}

static int64_t sum_all_workspace(const node *n, device *d, error *err)
{
    (void)err;
    int64_t groups = groups_for(d, tensor_count(n->in[0]));
    return groups > 1 ? groups * (int64_t)sizeof(float) : 0;
}

static bool sum_all_bind(const node *n, binder *b)
{
    const sum_attributes *a = n->attributes;
    int64_t count = tensor_count(n->in[0]), groups = groups_for(binder_device(b), count);
    /* Stretches are whole vectors for every VEC. */
    int64_t stretch = ((count + groups - 1) / groups + TENSOR_PAD - 1) / TENSOR_PAD * TENSOR_PAD;
    kernel_call c = call_begin_in(b, n, "ops/sum", "sum_all");
    if (groups > 1)
        call_workspace(&c, "Y");
    else
        call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_float(&c, groups > 1 ? 1.0f : a->factor);
    call_int(&c, stretch);
    call_int(&c, count);
    if (!call_rows(&c, groups)) return false;
    if (groups == 1) return true;
    c = call_begin_in(b, n, "ops/sum", "sum_all");
    call_tensor(&c, "Y", n->out[0]);
    call_workspace(&c, "X");
    call_float(&c, a->factor);
    call_int(&c, groups);
    call_int(&c, groups);
    return call_rows(&c, 1);
}

static void sum_all_grad(node *n, tensor *const *dout, tensor **din)
{
    const sum_attributes *a = n->attributes;
    din[0] = spread_like(dout[0], n->in[0], "ONE", a->factor);
}

static const op_def sum_all = { .name = "sum_all",
                                .infer = sum_all_infer,
                                .bind = sum_all_bind,
                                .grad = sum_all_grad,
                                .workspace = sum_all_workspace };
static const op_def mean_all = { .name = "mean_all",
                                 .infer = sum_all_infer,
                                 .bind = sum_all_bind,
                                 .grad = sum_all_grad,
                                 .workspace = sum_all_workspace };

tensor *op_sum_all(tensor *x)
{
    sum_attributes a = { 1.0f, DTYPE_F32 };
    x = op_contiguous(x);
    return graph_node1(x->graph, &sum_all, 1, &x, &a, sizeof a);
}

tensor *op_mean_all(tensor *x)
{
    sum_attributes a = { 1.0f / (float)tensor_count(x), DTYPE_F32 };
    x = op_contiguous(x);
    return graph_node1(x->graph, &mean_all, 1, &x, &a, sizeof a);
}

/* ---- Along axes in the middle: x [outer, rows, columns] ---- */

static bool sum_middle_infer(node *n)
{
    const tensor *x = n->in[0];
    const sum_attributes *a = n->attributes;
    return !node_output(n, a->type, 2, (int64_t[]){ x->dim[0], x->dim[2] })->poison;
}

static bool sum_middle_bind(const node *n, binder *b)
{
    const tensor *x = n->in[0];
    int64_t vec = device_get_info(binder_device(b))->vec, blocks = (x->dim[2] + vec - 1) / vec;
    kernel_call c = call_begin_in(b, n, "ops/sum", "sum_middle");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", x);
    call_int(&c, x->dim[0] * blocks);
    call_int(&c, blocks);
    call_int(&c, x->dim[1]);
    call_int(&c, x->dim[2]);
    return call_items(&c, x->dim[0] * blocks);
}

static const op_def sum_middle = { .name = "sum_middle", .infer = sum_middle_infer, .bind = sum_middle_bind };

/* ---- For the gradients of broadcasts ---- */

/* The last axes of x over which `b` is repeated: `rows` elements, with `columns` after them that b has.
 * False: none. */
static bool repeated_axes(const tensor *x, const tensor *b, int64_t *rows, int64_t *columns)
{
    *rows = *columns = 1;
    for (int i = 1; i <= x->rank; ++i) {
        int64_t size = x->dim[x->rank - i], kept = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (size == 1) continue;
        if (kept == size && *rows > 1) break;
        *(kept == size ? columns : rows) *= size;
    }
    return *rows > 1;
}

/* A shape of x's axes with 1 for those that repeated_axes found. */
static tensor *without_axes(tensor *sums, const tensor *x, const tensor *b, int64_t rows)
{
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 1; i <= x->rank; ++i) {
        int64_t size = x->dim[x->rank - i], kept = i <= b->rank ? b->dim[b->rank - i] : 1;
        bool summed = kept != size && rows > 1;
        if (summed) rows /= size;
        dim[x->rank - i] = summed ? 1 : size;
    }
    return op_reshape(sums, x->rank, dim);
}

/* Summed over one run of neighbouring axes after the other, from the last; each in b's type, so that what is
 * kept in float is rounded to no less on the way. */
static tensor *sum_axes(tensor *x, const tensor *b)
{
    const sum_attributes a = { 1.0f, b->type };
    for (int64_t rows, columns; !x->poison && repeated_axes(x, b, &rows, &columns);) {
        int64_t outer = tensor_count(x) / rows / columns;
        tensor *sums;
        if (columns == 1)
            sums = sum_last_as(op_reshape(x, 2, (int64_t[]){ outer, rows }), b->type);
        else if (outer == 1)
            sums = sum_rows_times(op_reshape(x, 2, (int64_t[]){ rows, columns }), 1.0f, b->type);
        else {
            tensor *in = op_contiguous(op_reshape(x, 3, (int64_t[]){ outer, rows, columns }));
            sums = graph_node1(x->graph, &sum_middle, 1, &in, &a, sizeof a);
        }
        x = without_axes(sums, x, b, rows);
    }
    return x;
}

tensor *sum_to(tensor *x, const tensor *b)
{
    if (x->poison) return x;
    int64_t count = tensor_count(b);
    if (count != tensor_count(x)) x = count == 1 ? op_sum_all(x) : sum_axes(x, b);
    if (!tensor_same_shape(x, b)) x = op_reshape(x, b->rank, b->dim);
    return cast_as(x, b->type);
}

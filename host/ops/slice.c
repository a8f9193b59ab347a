/* slice.c -- `count` places from `start` along one axis.  A view; its gradient puts the slice back
 * among zeros.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

typedef struct slice_attributes {
    int axis;
    int64_t start, count;
} slice_attributes;

static bool slice_infer(node *n)
{
    const slice_attributes *a = n->attributes;
    const tensor *x = n->in[0];
    if (a->axis < 0 || a->axis >= x->rank)
        return graph_fail(n->graph, "slice: %s has no axis %d", tensor_shape_text(x), a->axis);
    if (a->start < 0 || a->count < 1 || a->start > x->dim[a->axis] - a->count)
        return graph_fail(n->graph, "slice: %lld places from %lld do not lie in axis %d of %s",
                          (long long)a->count, (long long)a->start, a->axis, tensor_shape_text(x));
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < x->rank; ++i) dim[i] = i == a->axis ? a->count : x->dim[i];
    return !node_output_view(n, 0, x->rank, dim, x->stride, a->start * x->stride[a->axis])->poison;
}

static void slice_grad(node *n, tensor *const *dout, tensor **din)
{
    const slice_attributes *a = n->attributes;
    din[0] = op_unslice(dout[0], n->in[0], a->axis, a->start);
}

static const op_def slice = { .name = "slice", .infer = slice_infer, .grad = slice_grad };

tensor *op_slice(tensor *x, int axis, int64_t start, int64_t count)
{
    slice_attributes a = { axis, start, count };
    return graph_node1(x->graph, &slice, 1, &x, &a, sizeof a);
}

/* ---- unslice ---- */

typedef struct unslice_attributes {
    int axis;
    int64_t start, size;
} unslice_attributes;

static bool unslice_infer(node *n)
{
    const unslice_attributes *a = n->attributes;
    const tensor *x = n->in[0];
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < x->rank; ++i) dim[i] = i == a->axis ? a->size : x->dim[i];
    return !node_output(n, x->type, x->rank, dim)->poison;
}

static bool unslice_bind(const node *n, binder *b)
{
    const unslice_attributes *a = n->attributes;
    const tensor *y = n->out[0];
    int64_t offset, size = (int64_t)dtype_bytes(y->type);
    device_buffer *buffer = binder_buffer(b, y, &offset);
    int64_t padded = (tensor_count(y) + TENSOR_PAD - 1) / TENSOR_PAD * TENSOR_PAD;
    if (!device_launches_add_fill(binder_launches(b), n->def->name, buffer, offset * size, padded * size, 0,
                                  binder_error(b)))
        return false;
    tensor part = *y;
    part.dim[a->axis] = n->in[0]->dim[a->axis];
    part.offset += a->start * y->stride[a->axis];
    return copy_record(b, n, &part, n->in[0]);
}

static void unslice_grad(node *n, tensor *const *dout, tensor **din)
{
    const unslice_attributes *a = n->attributes;
    din[0] = op_slice(dout[0], a->axis, a->start, n->in[0]->dim[a->axis]);
}

static const op_def unslice = {
    .name = "unslice", .infer = unslice_infer, .bind = unslice_bind, .grad = unslice_grad
};

tensor *op_unslice(tensor *x, const tensor *like, int axis, int64_t start)
{
    unslice_attributes a = { axis, start, like->dim[axis] };
    return graph_node1(x->graph, &unslice, 1, &x, &a, sizeof a);
}

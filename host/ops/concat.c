/* concat.c -- tensors one after the other along an axis.  Gradient: slices.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool concat_infer(node *n)
{
    int axis = *(const int *)n->attributes;
    const tensor *a = n->in[0];
    if (axis < 0 || axis >= a->rank)
        return graph_fail(n->graph, "concat: %s has no axis %d", tensor_shape_text(a), axis);
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < a->rank; ++i) dim[i] = a->dim[i];
    for (int k = 1; k < n->in_count; ++k) {
        const tensor *p = n->in[k];
        bool fits = p->rank == a->rank && p->type == a->type;
        for (int i = 0; fits && i < a->rank; ++i) fits = i == axis || p->dim[i] == a->dim[i];
        if (!fits)
            return graph_fail(n->graph, "concat: part %d, %s %s, does not fit %s %s along axis %d", k,
                              dtype_name(p->type), tensor_shape_text(p), dtype_name(a->type),
                              tensor_shape_text(a), axis);
        dim[axis] += p->dim[axis];
    }
    return !node_output(n, a->type, a->rank, dim)->poison;
}

static bool concat_bind(const node *n, binder *b)
{
    int axis = *(const int *)n->attributes;
    tensor part = *n->out[0];
    for (int k = 0; k < n->in_count; ++k) {
        part.dim[axis] = n->in[k]->dim[axis];
        if (!copy_record(b, n, &part, n->in[k])) return false;
        part.offset += part.dim[axis] * part.stride[axis];
    }
    return true;
}

static void concat_grad(node *n, tensor *const *dout, tensor **din)
{
    int axis = *(const int *)n->attributes;
    int64_t start = 0;
    for (int k = 0; k < n->in_count; ++k) {
        int64_t count = n->in[k]->dim[axis];
        if (n->in[k]->needs_gradient) din[k] = op_slice(dout[0], axis, start, count);
        start += count;
    }
}

static const op_def concat = {
    .name = "concat", .infer = concat_infer, .bind = concat_bind, .grad = concat_grad
};

tensor *op_concat(int count, tensor *const *parts, int axis)
{
    graph *g = parts[0]->graph;
    if (count < 1 || count > NODE_INPUTS_MAX) {
        graph_fail(g, "concat: %d parts; 1 to %d are supported", count, NODE_INPUTS_MAX);
        return graph_poison(g);
    }
    return graph_node1(g, &concat, count, parts, &axis, sizeof axis);
}

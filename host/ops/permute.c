/* permute.c -- the axes in another order.  A view: y's axis i is x's axis axes[i].
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

typedef struct permute_attributes {
    int axes[TENSOR_RANK_MAX];
} permute_attributes;

static bool permute_infer(node *n)
{
    const permute_attributes *a = n->attributes;
    const tensor *x = n->in[0];
    int64_t dim[TENSOR_RANK_MAX], stride[TENSOR_RANK_MAX];
    unsigned seen = 0;
    for (int i = 0; i < x->rank; ++i) {
        int axis = a->axes[i];
        if (axis < 0 || axis >= x->rank || (seen >> axis & 1u))
            return graph_fail(n->graph, "permute: axis %d of %s is named twice or does not exist", axis,
                              tensor_shape_text(x));
        seen |= 1u << axis;
        dim[i] = x->dim[axis];
        stride[i] = x->stride[axis];
    }
    return !node_output_view(n, 0, x->rank, dim, stride, 0)->poison;
}

static void permute_grad(node *n, tensor *const *dout, tensor **din)
{
    const permute_attributes *a = n->attributes;
    int back[TENSOR_RANK_MAX] = { 0 };
    for (int i = 0; i < n->in[0]->rank; ++i) back[a->axes[i]] = i;
    din[0] = op_permute(dout[0], back);
}

static const op_def permute = { .name = "permute", .infer = permute_infer, .grad = permute_grad };

tensor *op_permute(tensor *x, const int *axes)
{
    permute_attributes a = { { 0 } };
    if (x->poison) return x;
    for (int i = 0; i < x->rank; ++i) a.axes[i] = axes[i];
    return graph_node1(x->graph, &permute, 1, &x, &a, sizeof a);
}

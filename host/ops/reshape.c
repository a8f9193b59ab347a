/* reshape.c -- the same elements in row-major order under other axes.  A view.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

typedef struct reshape_attributes {
    int rank;
    int64_t dim[TENSOR_RANK_MAX];
} reshape_attributes;

static bool reshape_infer(node *n)
{
    const reshape_attributes *a = n->attributes;
    int64_t stride[TENSOR_RANK_MAX], count = 1;
    for (int i = a->rank - 1; i >= 0; --i) {
        stride[i] = count;
        count *= a->dim[i];
    }
    return !node_output_view(n, 0, a->rank, a->dim, stride, 0)->poison;
}

static void reshape_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = op_reshape(dout[0], n->in[0]->rank, n->in[0]->dim);
}

static const op_def reshape = { .name = "reshape", .infer = reshape_infer, .grad = reshape_grad };

static tensor *refuse(tensor *x, const reshape_attributes *wanted)
{
    tensor shape = { .graph = x->graph, .rank = wanted->rank };
    for (int i = 0; i < wanted->rank; ++i) shape.dim[i] = wanted->dim[i];
    graph_fail(x->graph, "reshape: %s does not fit into %s", tensor_shape_text(x), tensor_shape_text(&shape));
    return graph_poison(x->graph);
}

tensor *op_reshape(tensor *x, int rank, const int64_t *dim)
{
    if (x->poison) return x;
    if (rank < 0 || rank > TENSOR_RANK_MAX) {
        graph_fail(x->graph, "reshape: %d axes; at most %d are supported", rank, TENSOR_RANK_MAX);
        return graph_poison(x->graph);
    }
    reshape_attributes a = { .rank = rank };
    int64_t known = 1, count = tensor_count(x);
    int open = -1;
    for (int i = 0; i < rank; ++i) {
        a.dim[i] = dim[i];
        if (dim[i] > 0 && known <= count)
            known *= dim[i];
        else if (dim[i] == -1 && open < 0)
            open = i;
        else
            known = 0;
    }
    if (known < 1 || count % known != 0 || (open < 0 && known != count)) return refuse(x, &a);
    if (open >= 0) a.dim[open] = count / known;
    x = tensor_is_contiguous(x) ? x : op_contiguous(x);
    return graph_node1(x->graph, &reshape, 1, &x, &a, sizeof a);
}

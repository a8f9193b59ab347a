/* argmax.c -- the index of the largest element along the last axis; of equals, the lowest.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool argmax_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!dtype_is_float(x->type) || x->rank < 1)
        return graph_fail(n->graph, "argmax: %s %s; a floating type and at least one axis are needed",
                          dtype_name(x->type), tensor_shape_text(x));
    int64_t one = 1;
    return !node_output(n, DTYPE_I32, x->rank > 1 ? x->rank - 1 : 1, x->rank > 1 ? x->dim : &one)->poison;
}

static bool argmax_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "argmax_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, tensor_last(n->in[0]));
    return call_rows(&c, tensor_rows(n->in[0]));
}

static const op_def argmax = { .name = "argmax", .infer = argmax_infer, .bind = argmax_bind };

tensor *op_argmax_last(tensor *x)
{
    x = op_contiguous(x);
    return graph_node1(x->graph, &argmax, 1, &x, NULL, 0);
}

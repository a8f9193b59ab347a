/* softmax.c -- y = exp(x - max x) / sum exp(x - max x), along the last axis.
 * Gradient: dx = y (dy - sum(dy y)), summed along the same axis.
 * An input may be -inf (a masked place), but not a whole row.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool softmax_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!dtype_is_float(x->type) || x->rank < 1)
        return graph_fail(n->graph, "softmax: %s %s; a floating type and at least one axis are needed",
                          dtype_name(x->type), tensor_shape_text(x));
    return !node_output(n, x->type, x->rank, x->dim)->poison;
}

static bool softmax_bind(const node *n, binder *b)
{
    const tensor *x = n->in[0];
    kernel_call c = call_begin(b, n, "softmax_forward");
    /* An F32 result holds the exponentials between the passes; 16 bits would round them twice. */
    call_define(&c, "KEEP=%d", n->out[0]->type == DTYPE_F32);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", x);
    call_int(&c, tensor_last(x));
    return call_rows(&c, tensor_rows(x));
}

static bool softmax_backward_bind(const node *n, binder *b)
{
    const tensor *dx = n->out[0];
    kernel_call c = call_begin_in(b, n, "ops/softmax", "softmax_backward");
    call_tensor(&c, "X", dx);
    call_tensor(&c, "Y", n->in[0]);
    call_tensor(&c, "DY", n->in[1]);
    call_int(&c, tensor_last(dx));
    return call_rows(&c, tensor_rows(dx));
}

static const op_def backward = { .name = "softmax_backward",
                                 .infer = softmax_infer,
                                 .bind = softmax_backward_bind };

static void softmax_grad(node *n, tensor *const *dout, tensor **din)
{
    tensor *in[2] = { n->out[0], op_contiguous(dout[0]) };
    din[0] = graph_node1(n->graph, &backward, 2, in, NULL, 0);
}

static const op_def softmax = {
    .name = "softmax", .infer = softmax_infer, .bind = softmax_bind, .grad = softmax_grad
};

tensor *op_softmax(tensor *x)
{
    x = op_contiguous(x);
    return graph_node1(x->graph, &softmax, 1, &x, NULL, 0);
}

/* log_softmax.c -- y = x - max x - ln sum exp(x - max x), along the last axis.
 * Gradient: dx = dy - exp(y) sum(dy), summed along the same axis.
 * An input may be -inf (a masked place), but not a whole row.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool log_softmax_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!dtype_is_float(x->type) || x->rank < 1)
        return graph_fail(n->graph, "log_softmax: %s %s; a floating type and at least one axis are needed",
                          dtype_name(x->type), tensor_shape_text(x));
    return !node_output(n, x->type, x->rank, x->dim)->poison;
}

static bool log_softmax_bind(const node *n, binder *b)
{
    const tensor *x = n->in[0];
    kernel_call c = call_begin(b, n, "log_softmax_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", x);
    call_int(&c, tensor_last(x));
    return call_rows(&c, tensor_rows(x));
}

static bool log_softmax_backward_bind(const node *n, binder *b)
{
    const tensor *dx = n->out[0];
    kernel_call c = call_begin_in(b, n, "ops/log_softmax", "log_softmax_backward");
    call_tensor(&c, "X", dx);
    call_tensor(&c, "Y", n->in[0]);
    call_tensor(&c, "DY", n->in[1]);
    call_int(&c, tensor_last(dx));
    return call_rows(&c, tensor_rows(dx));
}

static const op_def backward = { .name = "log_softmax_backward",
                                 .infer = log_softmax_infer,
                                 .bind = log_softmax_backward_bind };

static void log_softmax_grad(node *n, tensor *const *dout, tensor **din)
{
    tensor *in[2] = { n->out[0], op_contiguous(dout[0]) };
    din[0] = graph_node1(n->graph, &backward, 2, in, NULL, 0);
}

static const op_def log_softmax = {
    .name = "log_softmax", .infer = log_softmax_infer, .bind = log_softmax_bind, .grad = log_softmax_grad
};

tensor *op_log_softmax(tensor *x)
{
    x = op_contiguous(x);
    return graph_node1(x->graph, &log_softmax, 1, &x, NULL, 0);
}

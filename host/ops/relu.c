/* relu.c -- y = max(x, 0).  Gradient: dx = dy where y > 0, so that only y is kept (0 at x = 0).
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool relu_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!dtype_is_float(x->type))
        return graph_fail(n->graph, "relu: the input has type %s; a floating type is needed",
                          dtype_name(x->type));
    return !node_output(n, x->type, x->rank, x->dim)->poison;
}

static bool relu_bind(const node *n, binder *b)
{
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin(b, n, "relu_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, count);
    return call_elements(&c, count);
}

static bool backward_bind(const node *n, binder *b)
{
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin_in(b, n, "ops/relu", "relu_backward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "DY", n->in[0]);
    call_tensor(&c, "X", n->in[1]);
    call_int(&c, count);
    return call_elements(&c, count);
}

static const op_def backward = { .name = "relu_backward", .infer = relu_infer, .bind = backward_bind };

tensor *relu_backward(tensor *dy, tensor *y)
{
    dy = op_contiguous(dy);
    if (product_take_slope(dy, y, GEMM_RELU)) return dy;
    tensor *in[2] = { dy, y };
    return graph_node1(dy->graph, &backward, 2, in, NULL, 0);
}

static void relu_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = relu_backward(dout[0], n->out[0]);
}

static const op_def relu = { .name = "relu", .infer = relu_infer, .bind = relu_bind, .grad = relu_grad };

tensor *op_relu(tensor *x)
{
    x = op_contiguous(x);
    return graph_node1(x->graph, &relu, 1, &x, NULL, 0);
}

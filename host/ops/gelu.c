/* gelu.c -- y = x Phi(x), Phi the standard normal distribution function (exact, by erf).
 * Gradient: dx = dy (Phi(x) + x phi(x)).
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool gelu_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!dtype_is_float(x->type))
        return graph_fail(n->graph, "gelu: the input has type %s; a floating type is needed",
                          dtype_name(x->type));
    return !node_output(n, x->type, x->rank, x->dim)->poison;
}

static bool gelu_bind(const node *n, binder *b)
{
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin(b, n, "gelu_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, count);
    return call_elements(&c, count);
}

static bool backward_bind(const node *n, binder *b)
{
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin_in(b, n, "ops/gelu", "gelu_backward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "DY", n->in[0]);
    call_tensor(&c, "X", n->in[1]);
    call_int(&c, count);
    return call_elements(&c, count);
}

static const op_def backward = { .name = "gelu_backward", .infer = gelu_infer, .bind = backward_bind };

tensor *gelu_backward(tensor *dy, tensor *x)
{
    dy = op_contiguous(dy);
    if (product_take_slope(dy, x, GEMM_GELU)) return dy;
    tensor *in[2] = { dy, x };
    return graph_node1(dy->graph, &backward, 2, in, NULL, 0);
}

static void gelu_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = gelu_backward(dout[0], n->in[0]);
}

static const op_def gelu = { .name = "gelu", .infer = gelu_infer, .bind = gelu_bind, .grad = gelu_grad };

tensor *op_gelu(tensor *x)
{
    x = op_contiguous(x);
    return graph_node1(x->graph, &gelu, 1, &x, NULL, 0);
}

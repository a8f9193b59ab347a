/* activation.c -- y = f(x), f one of host/base/activation.h.
 * Gradient: dx = dy f'(x); where f' is the same of y, that is what is kept (ReLU's is 0 at x = 0).
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool activation_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!dtype_is_float(x->type))
        return graph_fail(n->graph, "%s: the input has type %s; a floating type is needed", n->def->name,
                          dtype_name(x->type));
    return !node_output(n, x->type, x->rank, x->dim)->poison;
}

static bool activation_bind(const node *n, binder *b)
{
    const activation *f = n->attributes;
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin_in(b, n, "ops/activation", "activation_forward");
    call_define(&c, "ACTIVATION=%d", (int)*f);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, count);
    return call_elements(&c, count);
}

static bool activation_backward_bind(const node *n, binder *b)
{
    const activation *f = n->attributes;
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin_in(b, n, "ops/activation", "activation_backward");
    call_define(&c, "ACTIVATION=%d", (int)*f);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "DY", n->in[0]);
    call_tensor(&c, "X", n->in[1]);
    call_int(&c, count);
    return call_elements(&c, count);
}

static const op_def backward[] = {
#define BACKWARD_DEF(f, word) \
    { .name = #word "_backward", .infer = activation_infer, .bind = activation_backward_bind },
    ACTIVATIONS(BACKWARD_DEF)
#undef BACKWARD_DEF
};

tensor *activation_backward(tensor *dy, tensor *at, activation f)
{
    if (f == ACTIVATION_IDENTITY) return dy;
    dy = op_contiguous(dy);
    if (product_take_slope(dy, at, f)) return dy;
    tensor *in[2] = { dy, at };
    return graph_node1(dy->graph, &backward[f], 2, in, &f, sizeof f);
}

static void activation_grad(node *n, tensor *const *dout, tensor **din)
{
    const activation *f = n->attributes;
    din[0] = activation_backward(dout[0], activation_from_result(*f) ? n->out[0] : n->in[0], *f);
}

static const op_def forward[] = {
#define FORWARD_DEF(f, word) \
    { .name = #word, .infer = activation_infer, .bind = activation_bind, .grad = activation_grad },
    ACTIVATIONS(FORWARD_DEF)
#undef FORWARD_DEF
};

tensor *op_activation(tensor *x, activation f)
{
    if (f == ACTIVATION_IDENTITY) return x;
    x = op_contiguous(x);
    return graph_node1(x->graph, &forward[f], 1, &x, &f, sizeof f);
}

tensor *op_relu(tensor *x)
{
    return op_activation(x, ACTIVATION_RELU);
}

tensor *op_gelu(tensor *x)
{
    return op_activation(x, ACTIVATION_GELU);
}

/* unary.c -- functions of one element: y = f(x).  Gradient: dx = dy f'(x), by a kernel that reads x or
 * y, whichever is enough (cl/ops/unary.cl has the table).
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

typedef struct unary_attributes {
    const char *function; /* EXP: the suffix of VALUE_ and SLOPE_ in the kernel */
    float first, second;  /* factor and shift, low and high */
    bool from_result;     /* the slope is computed from y */
} unary_attributes;

static bool unary_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!dtype_is_float(x->type))
        return graph_fail(n->graph, "%s: the input has type %s; a floating type is needed", n->def->name,
                          dtype_name(x->type));
    return !node_output(n, x->type, x->rank, x->dim)->poison;
}

static bool record(const node *n, binder *b, const char *kernel)
{
    const unary_attributes *a = n->attributes;
    int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin_in(b, n, "ops/unary", kernel);
    call_define(&c, "FUNCTION=%s", a->function);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    if (n->in_count > 1) call_tensor(&c, "DY", n->in[1]);
    call_float(&c, a->first);
    call_float(&c, a->second);
    call_int(&c, count);
    return call_elements(&c, count);
}

static bool unary_bind(const node *n, binder *b)
{
    return record(n, b, "unary_forward");
}

static bool unary_backward_bind(const node *n, binder *b)
{
    return record(n, b, "unary_backward");
}

static const op_def backward = { .name = "unary_backward",
                                 .infer = unary_infer,
                                 .bind = unary_backward_bind };

static void unary_grad(node *n, tensor *const *dout, tensor **din)
{
    const unary_attributes *a = n->attributes;
    tensor *in[2] = { a->from_result ? n->out[0] : n->in[0], op_contiguous(dout[0]) };
    din[0] = graph_node1(n->graph, &backward, 2, in, a, sizeof *a);
}

static void affine_grad(node *n, tensor *const *dout, tensor **din)
{
    const unary_attributes *a = n->attributes;
    din[0] = a->first == 1.0f ? dout[0] : op_scale(dout[0], a->first);
}

static const op_def scale = {
    .name = "scale", .infer = unary_infer, .bind = unary_bind, .grad = affine_grad
};
static const op_def affine = {
    .name = "affine", .infer = unary_infer, .bind = unary_bind, .grad = affine_grad
};
static const op_def square = {
    .name = "square", .infer = unary_infer, .bind = unary_bind, .grad = unary_grad
};
static const op_def exponential = {
    .name = "exp", .infer = unary_infer, .bind = unary_bind, .grad = unary_grad
};
static const op_def logarithm = {
    .name = "log", .infer = unary_infer, .bind = unary_bind, .grad = unary_grad
};
static const op_def sigmoid = {
    .name = "sigmoid", .infer = unary_infer, .bind = unary_bind, .grad = unary_grad
};
static const op_def clamp = { .name = "clamp", .infer = unary_infer, .bind = unary_bind, .grad = unary_grad };

static tensor *unary(const op_def *def, tensor *x, unary_attributes a)
{
    x = op_contiguous(x);
    return graph_node1(x->graph, def, 1, &x, &a, sizeof a);
}

tensor *op_scale(tensor *x, float factor)
{
    return unary(&scale, x, (unary_attributes){ "AFFINE", factor, 0.0f, false });
}

tensor *op_affine(tensor *x, float factor, float shift)
{
    return unary(&affine, x, (unary_attributes){ "AFFINE", factor, shift, false });
}

tensor *op_square(tensor *x)
{
    return unary(&square, x, (unary_attributes){ "SQUARE", 0.0f, 0.0f, false });
}

tensor *op_exp(tensor *x)
{
    return unary(&exponential, x, (unary_attributes){ "EXP", 0.0f, 0.0f, true });
}

tensor *op_log(tensor *x)
{
    return unary(&logarithm, x, (unary_attributes){ "LOG", 0.0f, 0.0f, false });
}

tensor *op_sigmoid(tensor *x)
{
    return unary(&sigmoid, x, (unary_attributes){ "SIGMOID", 0.0f, 0.0f, true });
}

tensor *op_clamp(tensor *x, float low, float high)
{
    return unary(&clamp, x, (unary_attributes){ "CLAMP", low, high, false });
}

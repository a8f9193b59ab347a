/* linear.c -- y = act(x W^T + bias) + residual, all within the matrix product.
 * Gradient, with dz the gradient before the activation: dx = dz W, dW = dz^T x, dbias = the sum of dz's
 * rows.  ReLU's dz comes from y; others keep the pre-activation as a second output, if it will be needed, and
 * from that what they gave is made again where the gradient of a following layer's weight needs it: a pass
 * over an array costs a hundredth of a layer's products, keeping it until then a quarter of a block's
 * activations.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

typedef struct linear_attributes {
    product_end end; /* first: host/ops/shared.h */
    dtype type;
} linear_attributes;

static bool linear_infer(node *n)
{
    const linear_attributes *at = n->attributes;
    const product_end *end = &at->end;
    const tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B], *bias = n->in[PRODUCT_BIAS];
    const char *name = n->def->name;
    if (!dtype_is_float(x->type) || !dtype_is_float(w->type) || (bias && !dtype_is_float(bias->type)))
        return graph_fail(n->graph, "%s: types %s, %s and %s; floating types are needed", name,
                          dtype_name(x->type), dtype_name(w->type), dtype_name(bias ? bias->type : w->type));
    if (x->rank < 1 || w->rank != 2 || tensor_last(x) != w->dim[1])
        return graph_fail(n->graph, "%s: input %s does not fit weight %s; the last sizes must be equal", name,
                          tensor_shape_text(x), tensor_shape_text(w));
    if (bias && (bias->rank != 1 || bias->dim[0] != w->dim[0]))
        return graph_fail(n->graph, "%s: bias %s does not fit weight %s", name, tensor_shape_text(bias),
                          tensor_shape_text(w));
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < x->rank; ++i) dim[i] = x->dim[i];
    dim[x->rank - 1] = w->dim[0];
    const tensor *y = node_output(n, at->type, x->rank, dim);
    n->addend = PRODUCT_RESIDUAL;
    if (y->poison || !expect_residual(n)) return false;
    bool trained = x->needs_gradient || w->needs_gradient || (bias && bias->needs_gradient);
    if (activation_from_result(end->activation) || !trained) return true;
    return !node_output(n, at->type, x->rank, dim)->poison;
}

static gemm_desc describe(const node *n)
{
    const tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B], *y = n->out[0];
    int64_t in = w->dim[1], out = w->dim[0];
    gemm_desc desc = { .m = tensor_rows(x), .n = out, .k = in, .batch = { 1, 1 } };
    desc.a = (gemm_operand){ .type = x->type, .row = in, .column = 1 };
    desc.b = (gemm_operand){ .type = w->type, .row = 1, .column = in };
    desc.c = (gemm_operand){ .type = y->type, .row = out, .column = 1 };
    gemm_epilogue(n, &desc);
    return desc;
}

static int64_t linear_workspace(const node *n, device *d, error *err)
{
    gemm_desc desc = describe(n);
    return gemm_workspace(d, &desc, err);
}

static bool linear_bind(const node *n, binder *b)
{
    gemm_desc desc = describe(n);
    return gemm_record(b, n, &desc);
}

/* `x`, or if a linear layer made it and kept what its activation was given, the same made again, unless `x`
 * itself was just now. */
static tensor *made_again(tensor *x)
{
    const node *from = x->from;
    if (!from || from->def->bind != linear_bind || from->out_count < 2) return x;
    const product_end *end = from->attributes;
    return from->stretch != NODE_RECOMPUTED ? op_activation(from->out[1], end->activation) : x;
}

static void linear_grad(node *n, tensor *const *dout, tensor **din)
{
    const product_end *end = n->attributes;
    tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B], *bias = n->in[PRODUCT_BIAS], *dz = dout[0];
    din[PRODUCT_RESIDUAL] = dout[0];
    dz = activation_backward(dz, n->out[activation_from_result(end->activation) ? 0 : 1], end->activation);
    if (dz->poison) return;
    tensor *rows = op_reshape(dz, 2, (int64_t[]){ tensor_rows(x), w->dim[0] });
    if (x->needs_gradient) din[0] = op_reshape(matmul_as(rows, w, false, false, x->type), x->rank, x->dim);
    if (w->needs_gradient) {
        tensor *inputs = op_reshape(made_again(x), 2, (int64_t[]){ tensor_rows(x), w->dim[1] });
        din[1] = matmul_as(rows, inputs, true, false, w->type);
    }
    if (bias && bias->needs_gradient) din[2] = sum_to(rows, bias);
}

static double linear_flops(const node *n)
{
    return 2.0 * (double)tensor_count(n->out[0]) * (double)tensor_last(n->in[PRODUCT_A]);
}

static const op_def linear = { "linear",    linear_infer,     linear_bind,
                               linear_grad, linear_workspace, linear_flops };
static const op_def linear_add = { "linear_add", linear_infer,     linear_bind,
                                   linear_grad,  linear_workspace, linear_flops };
static const op_def activated[] = {
#define ACTIVATED_DEF(name, word) \
    { "linear_" #word, linear_infer, linear_bind, linear_grad, linear_workspace, linear_flops },
    ACTIVATIONS(ACTIVATED_DEF)
#undef ACTIVATED_DEF
};

static tensor *build(const op_def *def, tensor *x, tensor *weight, tensor *bias, activation f,
                     tensor *residual, dtype type)
{
    tensor *in[PRODUCT_INPUTS] = { op_contiguous(x), op_contiguous(weight), bias ? op_contiguous(bias) : NULL,
                                   NULL, residual ? op_contiguous(residual) : NULL };
    linear_attributes at = { { .alpha = 1.0f, .activation = f }, type };
    return graph_node1(x->graph, def, PRODUCT_INPUTS, in, &at, sizeof at);
}

tensor *op_linear(tensor *x, tensor *weight, tensor *bias)
{
    return build(&linear, x, weight, bias, ACTIVATION_IDENTITY, NULL, x->type);
}

tensor *op_linear_add(tensor *x, tensor *weight, tensor *bias, tensor *residual)
{
    return build(&linear_add, x, weight, bias, ACTIVATION_IDENTITY, residual, x->type);
}

tensor *op_linear_to(tensor *x, tensor *weight, tensor *bias, activation f, dtype type)
{
    return build(f == ACTIVATION_IDENTITY ? &linear : &activated[f], x, weight, bias, f, NULL, type);
}

tensor *op_linear_activation(tensor *x, tensor *weight, tensor *bias, activation f)
{
    return op_linear_to(x, weight, bias, f, x->type);
}

tensor *op_linear_relu(tensor *x, tensor *weight, tensor *bias)
{
    return op_linear_activation(x, weight, bias, ACTIVATION_RELU);
}

tensor *op_linear_gelu(tensor *x, tensor *weight, tensor *bias)
{
    return op_linear_activation(x, weight, bias, ACTIVATION_GELU);
}

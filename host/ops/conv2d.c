/* conv2d.c -- convolution of [B, Y, X, C] images with stride 1 and padding (k-1)/2, as a matrix product
 * whose operand A is the image seen as a matrix (row = pixel, column = tap), which is never written out.
 * ReLU, or a gain and a residual, are within the product: y = relu(conv + bias), residual + gain (conv + bias).
 * Gradient, with dz that before ReLU: dx = gain times conv2d of dz with the weight turned around and its channels
 * exchanged; dW = gain dz^T times the image of x; dbias = gain times the sum of dz's rows.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool expect_images(const node *n, const tensor *x, const tensor *w, const tensor *bias)
{
    bool floats = dtype_is_float(x->type) && dtype_is_float(w->type) && (!bias || dtype_is_float(bias->type));
    if (!floats)
        return graph_fail(n->graph, "conv2d: input %s and weight %s; floating types are needed",
                          dtype_name(x->type), dtype_name(w->type));
    if (x->rank != 4 || w->rank != 4)
        return graph_fail(n->graph,
                          "conv2d: input %s and weight %s; [B,Y,X,Cin] and [Cout,k,k,Cin] are needed",
                          tensor_shape_text(x), tensor_shape_text(w));
    if (w->dim[1] != w->dim[2] || w->dim[1] % 2 == 0)
        return graph_fail(n->graph, "conv2d: weight %s; kernels must be square and of odd size",
                          tensor_shape_text(w));
    if (x->dim[3] != w->dim[3])
        return graph_fail(n->graph, "conv2d: input %s has %lld channels, weight %s wants %lld",
                          tensor_shape_text(x), (long long)x->dim[3], tensor_shape_text(w),
                          (long long)w->dim[3]);
    if (bias && (bias->rank != 1 || bias->dim[0] != w->dim[0]))
        return graph_fail(n->graph, "conv2d: bias %s does not fit weight %s", tensor_shape_text(bias),
                          tensor_shape_text(w));
    return true;
}

static bool conv2d_infer(node *n)
{
    const tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B];
    if (!expect_images(n, x, w, n->in[PRODUCT_BIAS])) return false;
    int64_t dim[4] = { x->dim[0], x->dim[1], x->dim[2], w->dim[0] };
    n->addend = PRODUCT_RESIDUAL;
    return !node_output(n, x->type, 4, dim)->poison && expect_residual(n);
}

static gemm_image image_of(const tensor *x, int64_t k)
{
    return (gemm_image){ .kernel = (int32_t)k,
                         .height = (int32_t)x->dim[1],
                         .width = (int32_t)x->dim[2],
                         .channels = (int32_t)x->dim[3] };
}

static gemm_desc conv2d_describe(const node *n)
{
    const tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B], *y = n->out[0];
    int64_t taps = w->dim[1] * w->dim[2] * w->dim[3];
    gemm_desc desc = { .m = tensor_rows(x), .n = w->dim[0], .k = taps, .batch = { 1, 1 } };
    desc.a = (gemm_operand){ .type = x->type, .image = image_of(x, w->dim[1]) };
    desc.b = (gemm_operand){ .type = w->type, .row = 1, .column = taps };
    desc.c = (gemm_operand){ .type = y->type, .row = w->dim[0], .column = 1 };
    gemm_end(n, &desc);
    return desc;
}

static int64_t conv2d_workspace(const node *n, device *d, error *err)
{
    gemm_desc desc = conv2d_describe(n);
    return gemm_workspace(d, &desc, err);
}

static bool conv2d_bind(const node *n, binder *b)
{
    gemm_desc desc = conv2d_describe(n);
    return gemm_record(b, n, &desc);
}

/* ---- The weight turned around: [Cout, k, k, Cin] -> [Cin, k, k, Cout] ---- */

static bool flip_infer(node *n)
{
    const tensor *w = n->in[0];
    int64_t dim[4] = { w->dim[3], w->dim[1], w->dim[2], w->dim[0] };
    return !node_output(n, w->type, 4, dim)->poison;
}

static bool flip_bind(const node *n, binder *b)
{
    const tensor *y = n->out[0];
    kernel_call c = call_begin_in(b, n, "ops/conv2d", "conv2d_flip");
    call_tensor(&c, "Y", y);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, y->dim[3]);
    call_int(&c, y->dim[1] * y->dim[2]);
    call_int(&c, y->dim[0]);
    return call_items(&c, tensor_rows(y));
}

static const op_def flip = { .name = "conv2d_flip", .infer = flip_infer, .bind = flip_bind };

/* ---- The weight's gradient ---- */

typedef struct weight_attributes {
    product_end end;
    dtype type;
    int64_t kernel;
} weight_attributes;

static bool weight_infer(node *n)
{
    const weight_attributes *at = n->attributes;
    const tensor *dy = n->in[0], *x = n->in[1];
    int64_t dim[4] = { dy->dim[3], at->kernel, at->kernel, x->dim[3] };
    return !node_output(n, at->type, 4, dim)->poison;
}

static gemm_desc weight_describe(const node *n)
{
    const tensor *dy = n->in[0], *x = n->in[1], *dw = n->out[0];
    int64_t taps = dw->dim[1] * dw->dim[2] * dw->dim[3];
    gemm_desc desc = { .m = dy->dim[3], .n = taps, .k = tensor_rows(dy), .batch = { 1, 1 } };
    desc.a = (gemm_operand){ .type = dy->type, .row = 1, .column = dy->dim[3] };
    desc.b = (gemm_operand){ .type = x->type, .image = image_of(x, dw->dim[1]) };
    desc.c = (gemm_operand){ .type = dw->type, .row = taps, .column = 1 };
    gemm_end(n, &desc);
    return desc;
}

static int64_t weight_workspace(const node *n, device *d, error *err)
{
    gemm_desc desc = weight_describe(n);
    return gemm_workspace(d, &desc, err);
}

static bool weight_bind(const node *n, binder *b)
{
    gemm_desc desc = weight_describe(n);
    return gemm_record(b, n, &desc);
}

static double weight_flops(const node *n)
{
    return 2.0 * (double)tensor_count(n->out[0]) * (double)tensor_rows(n->in[0]);
}

static const op_def weight_gradient = { "conv2d_weight_gradient", weight_infer, weight_bind, NULL,
                                        weight_workspace,         weight_flops };

/* ---- The operators ---- */

static tensor *build(const op_def *def, tensor *x, tensor *weight, tensor *bias, product_end end,
                     tensor *residual)
{
    tensor *in[PRODUCT_INPUTS] = { op_contiguous(x), op_contiguous(weight), bias ? op_contiguous(bias) : NULL,
                                   NULL, residual ? op_contiguous(residual) : NULL };
    return graph_node1(x->graph, def, PRODUCT_INPUTS, in, &end, sizeof end);
}

static double conv2d_flops(const node *n)
{
    const tensor *w = n->in[PRODUCT_B];
    return 2.0 * (double)tensor_count(n->out[0]) * (double)(tensor_count(w) / w->dim[0]);
}

static void conv2d_grad(node *n, tensor *const *dout, tensor **din);
static const op_def conv2d = { "conv2d",    conv2d_infer,     conv2d_bind,
                               conv2d_grad, conv2d_workspace, conv2d_flops };
static const op_def conv2d_relu = { "conv2d_relu", conv2d_infer,     conv2d_bind,
                                    conv2d_grad,   conv2d_workspace, conv2d_flops };
static const op_def conv2d_add = { "conv2d_add", conv2d_infer,     conv2d_bind,
                                   conv2d_grad,  conv2d_workspace, conv2d_flops };

static void conv2d_grad(node *n, tensor *const *dout, tensor **din)
{
    const product_end *end = n->attributes, gain = { .alpha = end->alpha };
    tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B], *bias = n->in[PRODUCT_BIAS];
    tensor *dz = op_contiguous(dout[0]);
    din[PRODUCT_RESIDUAL] = dout[0];
    dz = activation_backward(dz, n->out[0], end->activation);
    if (x->needs_gradient)
        din[PRODUCT_A] = build(&conv2d, dz, graph_node1(n->graph, &flip, 1, &w, NULL, 0), NULL, gain, NULL);
    if (w->needs_gradient) {
        weight_attributes at = { gain, w->type, w->dim[1] };
        tensor *in[2] = { dz, x };
        din[PRODUCT_B] = graph_node1(n->graph, &weight_gradient, 2, in, &at, sizeof at);
    }
    if (bias && bias->needs_gradient) din[PRODUCT_BIAS] = cast_as(sum_rows_times(dz, end->alpha), bias->type);
}

tensor *op_conv2d(tensor *x, tensor *weight, tensor *bias)
{
    return build(&conv2d, x, weight, bias, (product_end){ .alpha = 1.0f }, NULL);
}

tensor *op_conv2d_relu(tensor *x, tensor *weight, tensor *bias)
{
    product_end end = { .alpha = 1.0f, .activation = ACTIVATION_RELU };
    return build(&conv2d_relu, x, weight, bias, end, NULL);
}

tensor *op_conv2d_add(tensor *x, tensor *weight, tensor *bias, float gain, tensor *residual)
{
    return build(&conv2d_add, x, weight, bias, (product_end){ .alpha = gain }, residual);
}

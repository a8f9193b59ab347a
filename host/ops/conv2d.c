/* conv2d.c -- convolution of [B, Y, X, C] images as a matrix product whose operand A is the image seen as a
 * matrix (row = a place of the window, column = tap), which is never written out.
 * The activation, or a gain and a residual, are within the product: y = f(conv + bias), residual + gain (conv
 * + bias). Gradient, with dz that before f: dW = gain dz^T times the image of x; dbias = gain times the sum
 * of dz's rows; dx, where the stride is 1: gain times conv2d of dz with the weight turned around and its
 * channels exchanged; else every tap's share, dz W, from which each pixel gathers its own.
 * SPDX-License-Identifier: MIT */
#include "host/ops/windowed.h"
#include "host/ops/shared.h"

typedef struct conv_attributes {
    product_end end; /* first: host/ops/shared.h */
    dtype type;      /* of the result */
    bool same;       /* as many places as there are pixels: infer then makes the window */
    window window;
} conv_attributes;

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
    if (x->dim[3] != w->dim[3])
        return graph_fail(n->graph, "conv2d: input %s has %lld channels, weight %s wants %lld",
                          tensor_shape_text(x), (long long)x->dim[3], tensor_shape_text(w),
                          (long long)w->dim[3]);
    if (w->dim[1] > INT32_MAX || w->dim[2] > INT32_MAX)
        return graph_fail(n->graph, "conv2d: weight %s is beyond the kernels' 2^31 taps",
                          tensor_shape_text(w));
    if (bias && (bias->rank != 1 || bias->dim[0] != w->dim[0]))
        return graph_fail(n->graph, "conv2d: bias %s does not fit weight %s", tensor_shape_text(bias),
                          tensor_shape_text(w));
    return true;
}

static bool expect_window(const node *n, const tensor *x, const tensor *w, bool same, window *view)
{
    if (same && (w->dim[1] % 2 == 0 || w->dim[2] % 2 == 0))
        return graph_fail(
            n->graph,
            "conv2d: weight %s; kernels must be of odd size, or have a window that says where they stand",
            tensor_shape_text(w));
    if (same) *view = window_same(w->dim[1], w->dim[2]);
    if (view->size[0] != w->dim[1] || view->size[1] != w->dim[2])
        return graph_fail(n->graph, "conv2d: a window of %dx%d does not fit weight %s", view->size[0],
                          view->size[1], tensor_shape_text(w));
    return windowed_fits(n, x, view);
}

static bool conv2d_infer(node *n)
{
    conv_attributes *at = n->attributes;
    const tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B], *bias = n->in[PRODUCT_BIAS];
    if (!expect_images(n, x, w, bias) || !expect_window(n, x, w, at->same, &at->window)) return false;
    int64_t dim[4] = { x->dim[0], window_places(&at->window, 0, x->dim[1]),
                       window_places(&at->window, 1, x->dim[2]), w->dim[0] };
    n->addend = PRODUCT_RESIDUAL;
    if (node_output(n, at->type, 4, dim)->poison || !expect_residual(n)) return false;
    bool trained = x->needs_gradient || w->needs_gradient || (bias && bias->needs_gradient);
    if (activation_from_result(at->end.activation) || !trained) return true;
    return !node_output(n, at->type, 4, dim)->poison;
}

static gemm_image image_of(const tensor *x, const window *w)
{
    return (gemm_image){ .window = *w,
                         .height = (int32_t)x->dim[1],
                         .width = (int32_t)x->dim[2],
                         .channels = (int32_t)x->dim[3] };
}

static gemm_desc conv2d_describe(const node *n)
{
    const conv_attributes *at = n->attributes;
    const tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B], *y = n->out[0];
    int64_t taps = w->dim[1] * w->dim[2] * w->dim[3];
    gemm_desc desc = { .m = tensor_rows(y), .n = w->dim[0], .k = taps, .batch = { 1, 1 } };
    desc.a = (gemm_operand){ .type = x->type, .image = image_of(x, &at->window) };
    desc.b = (gemm_operand){ .type = w->type, .row = 1, .column = taps };
    desc.c = (gemm_operand){ .type = y->type, .row = w->dim[0], .column = 1 };
    gemm_epilogue(n, &desc);
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

/* ---- What each pixel has in the taps' shares: [places, ky kx C] -> [B, Y, X, C] ---- */

typedef struct gather_attributes {
    window window;
    float factor;
    dtype type;
    int64_t dim[4], places[2];
} gather_attributes;

static bool gather_infer(node *n)
{
    const gather_attributes *at = n->attributes;
    return !node_output(n, at->type, 4, at->dim)->poison;
}

static bool gather_bind(const node *n, binder *b)
{
    const gather_attributes *at = n->attributes;
    const tensor *dx = n->out[0], places = { .dim = { dx->dim[0], at->places[0], at->places[1], 1 } };
    kernel_call c = call_begin_in(b, n, "ops/conv2d", "conv2d_gather");
    call_tensor(&c, "Y", dx);
    call_tensor(&c, "X", n->in[0]);
    call_float(&c, at->factor);
    call_int(&c, tensor_count(dx));
    windowed_arguments(&c, dx, &places, &at->window);
    return call_elements(&c, tensor_count(dx));
}

static const op_def gather = { .name = "conv2d_gather", .infer = gather_infer, .bind = gather_bind };

/* ---- The weight's gradient ---- */

typedef struct weight_attributes {
    product_end end;
    dtype type;
    window window;
} weight_attributes;

static bool weight_infer(node *n)
{
    const weight_attributes *at = n->attributes;
    const tensor *dy = n->in[0], *x = n->in[1];
    int64_t dim[4] = { dy->dim[3], at->window.size[0], at->window.size[1], x->dim[3] };
    return !node_output(n, at->type, 4, dim)->poison;
}

static gemm_desc weight_describe(const node *n)
{
    const weight_attributes *at = n->attributes;
    const tensor *dy = n->in[0], *x = n->in[1], *dw = n->out[0];
    int64_t taps = dw->dim[1] * dw->dim[2] * dw->dim[3];
    gemm_desc desc = { .m = dy->dim[3], .n = taps, .k = tensor_rows(dy), .batch = { 1, 1 } };
    desc.a = (gemm_operand){ .type = dy->type, .row = 1, .column = dy->dim[3] };
    desc.b = (gemm_operand){ .type = x->type, .image = image_of(x, &at->window) };
    desc.c = (gemm_operand){ .type = dw->type, .row = taps, .column = 1 };
    gemm_epilogue(n, &desc);
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

static tensor *build(const op_def *def, tensor *x, tensor *weight, tensor *bias, conv_attributes at,
                     tensor *residual)
{
    tensor *in[PRODUCT_INPUTS] = { op_contiguous(x), op_contiguous(weight), bias ? op_contiguous(bias) : NULL,
                                   NULL, residual ? op_contiguous(residual) : NULL };
    return graph_node1(x->graph, def, PRODUCT_INPUTS, in, &at, sizeof at);
}

static double conv2d_flops(const node *n)
{
    const tensor *w = n->in[PRODUCT_B];
    return 2.0 * (double)tensor_count(n->out[0]) * (double)(tensor_count(w) / w->dim[0]);
}

static void conv2d_grad(node *n, tensor *const *dout, tensor **din);
static const op_def conv2d = { "conv2d",    conv2d_infer,     conv2d_bind,
                               conv2d_grad, conv2d_workspace, conv2d_flops };
static const op_def conv2d_add = { "conv2d_add", conv2d_infer,     conv2d_bind,
                                   conv2d_grad,  conv2d_workspace, conv2d_flops };
static const op_def activated[] = {
#define ACTIVATED_DEF(name, word) \
    { "conv2d_" #word, conv2d_infer, conv2d_bind, conv2d_grad, conv2d_workspace, conv2d_flops },
    ACTIVATIONS(ACTIVATED_DEF)
#undef ACTIVATED_DEF
};

/* Stride 1: a place of the turned weight's window for every pixel. */
static tensor *turned_gradient(const node *n, tensor *dz, const conv_attributes *at)
{
    tensor *w = n->in[PRODUCT_B];
    conv_attributes back = { .end = { .alpha = at->end.alpha },
                             .type = n->in[PRODUCT_A]->type,
                             .window = at->window };
    for (int i = 0; i < 2; ++i) {
        back.window.before[i] = at->window.size[i] - 1 - at->window.before[i];
        back.window.after[i] = at->window.size[i] - 1 - at->window.after[i];
    }
    return build(&conv2d, dz, graph_node1(n->graph, &flip, 1, &w, NULL, 0), NULL, back, NULL);
}

static tensor *gathered_gradient(const node *n, tensor *dz, const conv_attributes *at)
{
    const tensor *x = n->in[PRODUCT_A], *y = n->out[0];
    tensor *w = n->in[PRODUCT_B];
    gather_attributes to = { .window = at->window, .factor = at->end.alpha, .type = x->type };
    for (int i = 0; i < 4; ++i) to.dim[i] = x->dim[i];
    for (int i = 0; i < 2; ++i) to.places[i] = y->dim[i + 1];
    tensor *rows = op_reshape(dz, 2, (int64_t[]){ -1, w->dim[0] });
    /* F32: several are added up. */
    tensor *shares = matmul_as(rows, op_reshape(w, 2, (int64_t[]){ w->dim[0], -1 }), false, false, DTYPE_F32);
    return graph_node1(n->graph, &gather, 1, &shares, &to, sizeof to);
}

static void conv2d_grad(node *n, tensor *const *dout, tensor **din)
{
    const conv_attributes *at = n->attributes;
    const activation f = at->end.activation;
    tensor *x = n->in[PRODUCT_A], *w = n->in[PRODUCT_B], *bias = n->in[PRODUCT_BIAS];
    tensor *dz = op_contiguous(dout[0]);
    din[PRODUCT_RESIDUAL] = dout[0];
    dz = activation_backward(dz, n->out[activation_from_result(f) ? 0 : 1], f);
    const bool steps = at->window.stride[0] != 1 || at->window.stride[1] != 1;
    if (x->needs_gradient) din[PRODUCT_A] = steps ? gathered_gradient(n, dz, at) : turned_gradient(n, dz, at);
    if (w->needs_gradient) {
        weight_attributes of_weight = { { .alpha = at->end.alpha }, w->type, at->window };
        tensor *in[2] = { dz, x };
        din[PRODUCT_B] = graph_node1(n->graph, &weight_gradient, 2, in, &of_weight, sizeof of_weight);
    }
    if (bias && bias->needs_gradient) din[PRODUCT_BIAS] = sum_rows_times(dz, at->end.alpha, bias->type);
}

/* Of one window a pixel. */
static conv_attributes same_size(float alpha, activation f, dtype type)
{
    return (conv_attributes){ .end = { .alpha = alpha, .activation = f }, .type = type, .same = true };
}

tensor *op_conv2d_to(tensor *x, tensor *weight, tensor *bias, dtype type)
{
    return build(&conv2d, x, weight, bias, same_size(1.0f, ACTIVATION_IDENTITY, type), NULL);
}

tensor *op_conv2d(tensor *x, tensor *weight, tensor *bias)
{
    return op_conv2d_to(x, weight, bias, x->type);
}

tensor *op_conv2d_relu(tensor *x, tensor *weight, tensor *bias)
{
    const activation f = ACTIVATION_RELU;
    return build(&activated[f], x, weight, bias, same_size(1.0f, f, x->type), NULL);
}

tensor *op_conv2d_add(tensor *x, tensor *weight, tensor *bias, float gain, tensor *residual)
{
    return build(&conv2d_add, x, weight, bias, same_size(gain, ACTIVATION_IDENTITY, x->type), residual);
}

/* Whether the windows share no pixel and there is no padding: then the picture cut up is the matrix. */
static bool cuts_up(const tensor *x, const tensor *weight, const window *w)
{
    bool cuts =
        !x->poison && !weight->poison && x->rank == 4 && weight->rank == 4 && w->size[0] * w->size[1] > 1;
    for (int i = 0; cuts && i < 2; ++i)
        cuts = w->size[i] == weight->dim[i + 1] && w->stride[i] == w->size[i] && w->before[i] == 0 &&
               w->after[i] == 0 && x->dim[i + 1] >= w->size[i];
    return cuts && x->dim[3] == weight->dim[3];
}

static tensor *of_pieces(tensor *x, tensor *weight, tensor *bias, const window *w, activation f)
{
    const int64_t pictures = x->dim[0], down = window_places(w, 0, x->dim[1]),
                  across = window_places(w, 1, x->dim[2]), run = w->size[1] * x->dim[3];
    if (down * w->size[0] < x->dim[1]) x = op_slice(x, 1, 0, down * w->size[0]);
    if (across * w->size[1] < x->dim[2]) x = op_slice(x, 2, 0, across * w->size[1]);
    x = op_reshape(x, 5, (int64_t[]){ pictures, down, w->size[0], across, run });
    x = op_permute(x, (int[]){ 0, 1, 3, 2, 4 });
    x = op_reshape(x, 4, (int64_t[]){ pictures, down, across, w->size[0] * run });
    return op_linear_activation(x, op_reshape(weight, 2, (int64_t[]){ weight->dim[0], -1 }), bias, f);
}

tensor *op_conv2d_window(tensor *x, tensor *weight, tensor *bias, const window *w, activation f)
{
    if (cuts_up(x, weight, w)) return of_pieces(x, weight, bias, w, f);
    conv_attributes at = { .end = { .alpha = 1.0f, .activation = f }, .type = x->type, .window = *w };
    return build(f == ACTIVATION_IDENTITY ? &conv2d : &activated[f], x, weight, bias, at, NULL);
}

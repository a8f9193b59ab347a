/* layer_norm.c -- y = gain (x - mean) / sqrt(variance + epsilon) + bias, along the last axis
 * (arXiv 1607.06450).  Mean and 1 / sqrt(..) of each row are outputs 1 and 2, for the gradient:
 *   xhat = (x - mean) rstd,  g = gain dy
 *   dx = rstd (g - mean(g) - xhat mean(g xhat));  dgain = sum of dy xhat, dbias = sum of dy, over rows.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool expect_vector(const node *n, const tensor *v, const char *what)
{
    if (v->rank == 1 && v->dim[0] == tensor_last(n->in[0]) && dtype_is_float(v->type)) return true;
    return graph_fail(n->graph, "layer_norm: %s %s %s does not fit the input %s", what, dtype_name(v->type),
                      tensor_shape_text(v), tensor_shape_text(n->in[0]));
}

static bool layer_norm_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!dtype_is_float(x->type) || x->rank < 1)
        return graph_fail(n->graph, "layer_norm: %s %s; a floating type and at least one axis are needed",
                          dtype_name(x->type), tensor_shape_text(x));
    if (!expect_vector(n, n->in[1], "gain") || !expect_vector(n, n->in[2], "bias")) return false;
    int64_t rows = tensor_rows(x);
    return !node_output(n, x->type, x->rank, x->dim)->poison &&
           !node_output(n, DTYPE_F32, 1, &rows)->poison && !node_output(n, DTYPE_F32, 1, &rows)->poison;
}

static bool layer_norm_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "layer_norm_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "MEAN", n->out[1]);
    call_tensor(&c, "RSTD", n->out[2]);
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "GAIN", n->in[1]);
    call_tensor(&c, "BIAS", n->in[2]);
    call_float(&c, *(const float *)n->attributes);
    call_int(&c, tensor_last(n->in[0]));
    return call_rows(&c, tensor_rows(n->in[0]));
}

/* ---- Gradient of x: inputs dy, x, mean, rstd, gain ---- */

static bool layer_norm_backward_infer(node *n)
{
    const tensor *x = n->in[1];
    return !node_output(n, x->type, x->rank, x->dim)->poison;
}

static bool layer_norm_backward_bind(const node *n, binder *b)
{
    kernel_call c = call_begin_in(b, n, "ops/layer_norm", "layer_norm_backward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "DY", n->in[0]);
    call_tensor(&c, "X", n->in[1]);
    call_tensor(&c, "MEAN", n->in[2]);
    call_tensor(&c, "RSTD", n->in[3]);
    call_tensor(&c, "GAIN", n->in[4]);
    call_int(&c, tensor_last(n->out[0]));
    return call_rows(&c, tensor_rows(n->out[0]));
}

static const op_def backward = { .name = "layer_norm_backward",
                                 .infer = layer_norm_backward_infer,
                                 .bind = layer_norm_backward_bind };

/* ---- Gradients of gain and bias: inputs dy, x, mean, rstd; in two stages, like sum_rows ---- */

typedef struct vectors_attributes {
    dtype gain, bias;
} vectors_attributes;

static bool vectors_infer(node *n)
{
    const vectors_attributes *at = n->attributes;
    int64_t last = tensor_last(n->in[1]);
    return !node_output(n, at->gain, 1, &last)->poison && !node_output(n, at->bias, 1, &last)->poison;
}

static int64_t vectors_workspace(const node *n, device *d, error *err)
{
    (void)err;
    int64_t columns = tensor_last(n->in[1]);
    return split_rows(d, tensor_rows(n->in[1]), columns).chunks * 2 * columns * (int64_t)sizeof(float);
}

static bool vectors_bind(const node *n, binder *b)
{
    int64_t rows = tensor_rows(n->in[1]), columns = tensor_last(n->in[1]);
    row_split s = split_rows(binder_device(b), rows, columns);
    kernel_call c = call_begin_in(b, n, "ops/layer_norm", "layer_norm_vectors");
    call_define(&c, "VECTORS=%d", s.vectors);
    call_workspace(&c, "PART");
    call_tensor(&c, "DY", n->in[0]);
    call_tensor(&c, "X", n->in[1]);
    call_tensor(&c, "MEAN", n->in[2]);
    call_tensor(&c, "RSTD", n->in[3]);
    call_int(&c, rows);
    call_int(&c, columns);
    call_int(&c, s.rows);
    call_int(&c, s.blocks);
    call_int(&c, s.chunks);
    if (!call_items(&c, s.chunks * s.blocks)) return false;
    c = call_begin_in(b, n, "ops/layer_norm", "layer_norm_vectors_finish");
    call_tensor(&c, "GAIN", n->out[0]);
    call_tensor(&c, "BIAS", n->out[1]);
    call_workspace(&c, "PART");
    call_int(&c, columns);
    call_int(&c, s.chunks);
    return call_items(&c, columns);
}

static const op_def vectors = {
    .name = "layer_norm_vectors", .infer = vectors_infer, .bind = vectors_bind, .workspace = vectors_workspace
};

static void layer_norm_grad(node *n, tensor *const *dout, tensor **din)
{
    tensor *gain = n->in[1], *bias = n->in[2];
    if (!dout[0]) return;
    tensor *in[5] = { op_contiguous(dout[0]), n->in[0], n->out[1], n->out[2], gain };
    if (n->in[0]->needs_gradient) din[0] = graph_node1(n->graph, &backward, 5, in, NULL, 0);
    if (!gain->needs_gradient && !bias->needs_gradient) return;
    vectors_attributes at = { gain->type, bias->type };
    const node *both = graph_node(n->graph, &vectors, 4, in, &at, sizeof at);
    din[1] = both ? both->out[0] : NULL;
    din[2] = both ? both->out[1] : NULL;
}

static const op_def layer_norm = {
    .name = "layer_norm", .infer = layer_norm_infer, .bind = layer_norm_bind, .grad = layer_norm_grad
};

tensor *op_layer_norm(tensor *x, tensor *gain, tensor *bias, float epsilon)
{
    tensor *in[3] = { op_contiguous(x), op_contiguous(gain), op_contiguous(bias) };
    return graph_node1(x->graph, &layer_norm, 3, in, &epsilon, sizeof epsilon);
}

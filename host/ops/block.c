/* block.c -- where a residual block in 16 bits leaves its identity path of 32 and comes back to it (Figure
 * 4 of arXiv 2102.12092).  Gradients within the block are times its scale s:
 *   block_begin  y = x; dx = dy / s, 0 where that is not finite
 *   block_end    y = residual + branch; dresidual = dy, dbranch = s dy
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/shared.h"

/* ---- Gradients: inputs dy, scale ---- */

typedef struct scaled_attributes {
    dtype type;
    bool divide; /* and filter */
} scaled_attributes;

static bool scaled_infer(node *n)
{
    const scaled_attributes *a = n->attributes;
    return !node_output(n, a->type, n->in[0]->rank, n->in[0]->dim)->poison;
}

static bool scaled_bind(const node *n, binder *b)
{
    const scaled_attributes *a = n->attributes;
    const int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin_in(b, n, "ops/block", "block_scaled");
    call_define(&c, "DIVIDE=%d", a->divide);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "SCALE", n->in[1]);
    call_int(&c, count);
    return call_elements(&c, count);
}

static const op_def scaled = { .name = "block_scaled", .infer = scaled_infer, .bind = scaled_bind };

static tensor *scaled_as(tensor *dy, tensor *scale, dtype type, bool divide)
{
    const scaled_attributes a = { type, divide };
    tensor *in[] = { op_contiguous(dy), scale };
    return graph_node1(dy->graph, &scaled, 2, in, &a, sizeof a);
}

/* ---- The beginning ---- */

static bool begin_infer(node *n)
{
    const dtype *type = n->attributes;
    return expect_float(n, 0, "x") && expect_control(n, 1, "scale", DTYPE_F32, 1) &&
           !node_output(n, *type, n->in[0]->rank, n->in[0]->dim)->poison;
}

static bool begin_bind(const node *n, binder *b)
{
    return copy_record(b, n, n->out[0], n->in[0]);
}

static void begin_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = scaled_as(dout[0], n->in[1], n->in[0]->type, true);
}

static const op_def block_begin = {
    .name = "block_begin", .infer = begin_infer, .bind = begin_bind, .grad = begin_grad
};

tensor *op_block_begin(tensor *x, tensor *scale, dtype type)
{
    tensor *in[] = { x, scale };
    return graph_node1(x->graph, &block_begin, 2, in, &type, sizeof type);
}

/* ---- The end ---- */

static bool end_infer(node *n)
{
    const tensor *residual = n->in[0];
    return expect_float(n, 0, "residual") && expect_float(n, 1, "branch") &&
           expect_like(n, 1, "branch", 0, false) && expect_control(n, 2, "scale", DTYPE_F32, 1) &&
           !node_output(n, residual->type, residual->rank, residual->dim)->poison;
}

static bool end_bind(const node *n, binder *b)
{
    const int64_t count = tensor_count(n->out[0]);
    kernel_call c = call_begin_in(b, n, "ops/block", "block_end");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "RESIDUAL", n->in[0]);
    call_tensor(&c, "X", n->in[1]);
    call_int(&c, count);
    return call_elements(&c, count);
}

static void end_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = dout[0];
    if (n->in[1]->needs_gradient) din[1] = scaled_as(dout[0], n->in[2], n->in[1]->type, false);
}

static const op_def block_end = {
    .name = "block_end", .infer = end_infer, .bind = end_bind, .grad = end_grad
};

tensor *op_block_end(tensor *residual, tensor *branch, tensor *scale)
{
    tensor *in[] = { op_contiguous(residual), op_contiguous(branch), scale };
    return graph_node1(residual->graph, &block_end, 3, in, NULL, 0);
}

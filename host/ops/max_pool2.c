/* max_pool2.c -- y[b, i, j, c] = max of x over rows 2i, 2i+1 and columns 2j, 2j+1.
 * Gradient: dy goes to the first of the four, in raster order, that equals the maximum; found again from x.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool max_pool2_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!expect_float(n, 0, "x")) return false;
    if (x->rank != 4 || x->dim[1] % 2 != 0 || x->dim[2] % 2 != 0)
        return graph_fail(n->graph, "max_pool2: x must be [B,Y,X,C] with even Y and X, not %s",
                          tensor_shape_text(x));
    int64_t dim[] = { x->dim[0], x->dim[1] / 2, x->dim[2] / 2, x->dim[3] };
    node_output(n, x->type, 4, dim);
    return true;
}

static bool max_pool2_bind(const node *n, binder *b)
{
    const tensor *y = n->out[0];
    kernel_call c = call_begin(b, n, "max_pool2_forward");
    call_tensor(&c, "Y", y);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, tensor_count(y));
    call_int(&c, y->dim[2]);
    call_int(&c, y->dim[3]);
    return call_elements(&c, tensor_count(y));
}

static bool max_pool2_backward_infer(node *n)
{
    node_output(n, n->in[0]->type, n->in[0]->rank, n->in[0]->dim);
    return true;
}

static bool max_pool2_backward_bind(const node *n, binder *b)
{
    const tensor *dy = n->in[1];
    kernel_call c = call_begin(b, n, "max_pool2_backward");
    call_tensor(&c, "X", n->out[0]); /* dx has x's type */
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "Y", dy);
    call_int(&c, tensor_count(dy));
    call_int(&c, dy->dim[2]);
    call_int(&c, dy->dim[3]);
    return call_elements(&c, tensor_count(dy));
}

static const op_def max_pool2_backward = { .name = "max_pool2",
                                           .infer = max_pool2_backward_infer,
                                           .bind = max_pool2_backward_bind };

static void max_pool2_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { n->in[0], op_contiguous(dout[0]) };
    din[0] = graph_node1(n->graph, &max_pool2_backward, 2, in, NULL, 0);
}

static const op_def max_pool2 = {
    .name = "max_pool2", .infer = max_pool2_infer, .bind = max_pool2_bind, .grad = max_pool2_grad
};

tensor *op_max_pool2(tensor *x)
{
    tensor *in[] = { op_contiguous(x) };
    return graph_node1(x->graph, &max_pool2, 1, in, NULL, 0);
}

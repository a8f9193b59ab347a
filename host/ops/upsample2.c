/* upsample2.c -- nearest neighbour: y[b, i, j, c] = x[b, i/2, j/2, c].
 * Gradient: the sum of the four copies.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool upsample2_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!expect_float(n, 0, "x")) return false;
    if (x->rank != 4)
        return graph_fail(n->graph, "upsample2: x must be [B,Y,X,C], not %s", tensor_shape_text(x));
    int64_t dim[] = { x->dim[0], x->dim[1] * 2, x->dim[2] * 2, x->dim[3] };
    node_output(n, x->type, 4, dim);
    return true;
}

/* `small` is x or dx, `large` y or dy; the kernel walks the small image. */
static bool upsample2_call(const node *n, binder *b, const char *kernel, const tensor *small)
{
    kernel_call c = call_begin(b, n, kernel);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_int(&c, tensor_count(small));
    call_int(&c, small->dim[2]);
    call_int(&c, small->dim[3]);
    return call_elements(&c, tensor_count(small));
}

static bool upsample2_bind(const node *n, binder *b)
{
    return upsample2_call(n, b, "upsample2_forward", n->in[0]);
}

static bool upsample2_backward_infer(node *n)
{
    const tensor *dy = n->in[0];
    int64_t dim[] = { dy->dim[0], dy->dim[1] / 2, dy->dim[2] / 2, dy->dim[3] };
    node_output(n, dy->type, 4, dim);
    return true;
}

static bool upsample2_backward_bind(const node *n, binder *b)
{
    return upsample2_call(n, b, "upsample2_backward", n->out[0]);
}

static const op_def upsample2_backward = { .name = "upsample2",
                                           .infer = upsample2_backward_infer,
                                           .bind = upsample2_backward_bind };

static void upsample2_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { op_contiguous(dout[0]) };
    din[0] = graph_node1(n->graph, &upsample2_backward, 1, in, NULL, 0);
}

static const op_def upsample2 = {
    .name = "upsample2", .infer = upsample2_infer, .bind = upsample2_bind, .grad = upsample2_grad
};

tensor *op_upsample2(tensor *x)
{
    tensor *in[] = { op_contiguous(x) };
    return graph_node1(x->graph, &upsample2, 1, in, NULL, 0);
}

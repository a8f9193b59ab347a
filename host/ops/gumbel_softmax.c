/* gumbel_softmax.c -- y = softmax((logits + g) / tau) over the last axis, g = -ln(-ln u) (arXiv 1611.01144).
 * Gradient: dlogits = y (dy - sum(y dy)) / tau; the output is all that it needs.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "host/ops/expect.h"
#include "host/ops/ops.h"

typedef struct gumbel_attributes {
    bool named; /* the stream is the name of the first node made: copies of it draw the same */
    uint32_t stream;
    dtype type;
} gumbel_attributes;

static bool gumbel_softmax_infer(node *n)
{
    gumbel_attributes *a = n->attributes;
    if (!a->named) a->stream = philox_stream(n->name);
    a->named = true;
    if (!expect_float(n, 0, "logits") || !expect_control(n, 1, "tau", DTYPE_F32, 1) ||
        !expect_control(n, 2, "random", DTYPE_I32, 4))
        return false;
    node_output(n, a->type, n->in[0]->rank, n->in[0]->dim);
    return true;
}

static bool gumbel_softmax_bind(const node *n, binder *b)
{
    const gumbel_attributes *a = n->attributes;
    const tensor *x = n->in[0];
    kernel_call c = call_begin(b, n, "gumbel_softmax_forward");
    call_define(&c, "KEEP=%d", n->out[0]->type == DTYPE_F32 ? 1 : 0);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", x);
    call_tensor(&c, "TAU", n->in[1]);
    call_tensor(&c, "RANDOM", n->in[2]);
    call_int(&c, tensor_last(x));
    call_int(&c, tensor_count(x) / x->dim[0]);
    call_uint(&c, a->stream);
    return call_rows(&c, tensor_rows(x));
}

/* Inputs y, dy, tau; the attribute is the logits' type. */
static bool gumbel_softmax_backward_infer(node *n)
{
    node_output(n, *(const dtype *)n->attributes, n->in[0]->rank, n->in[0]->dim);
    return true;
}

static bool gumbel_softmax_backward_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "gumbel_softmax_backward");
    call_tensor(&c, "X", n->out[0]);
    call_tensor(&c, "Y", n->in[0]);
    call_tensor(&c, "Y", n->in[1]); /* dy has y's type */
    call_tensor(&c, "TAU", n->in[2]);
    call_int(&c, tensor_last(n->in[0]));
    return call_rows(&c, tensor_rows(n->in[0]));
}

static const op_def gumbel_backward = { .name = "gumbel_softmax",
                                        .infer = gumbel_softmax_backward_infer,
                                        .bind = gumbel_softmax_backward_bind };

static void gumbel_softmax_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { n->out[0], op_contiguous(dout[0]), n->in[1] };
    const dtype type = n->in[0]->type;
    din[0] = graph_node1(n->graph, &gumbel_backward, 3, in, &type, sizeof type);
}

static const op_def gumbel_softmax = { .name = "gumbel_softmax",
                                       .infer = gumbel_softmax_infer,
                                       .bind = gumbel_softmax_bind,
                                       .grad = gumbel_softmax_grad };

tensor *op_gumbel_softmax(tensor *logits, tensor *tau, tensor *random)
{
    return op_gumbel_softmax_to(logits, tau, random, logits->type);
}

tensor *op_gumbel_softmax_to(tensor *logits, tensor *tau, tensor *random, dtype type)
{
    gumbel_attributes a = { .type = type };
    tensor *in[] = { op_contiguous(logits), tau, random };
    return graph_node1(logits->graph, &gumbel_softmax, 3, in, &a, sizeof a);
}

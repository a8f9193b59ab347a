/* cross_entropy.c -- loss[r] = ln sum exp(logits[r]) - logits[r, target]; 0 where the target is negative.
 * The second output is the log-sum-exp.
 * Gradient: dlogits = (exp(logits - lse) - onehot(target)) dloss.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool cross_entropy_infer(node *n)
{
    int64_t dim[TENSOR_RANK_MAX];
    if (!expect_float(n, 0, "logits") || !expect_type(n, 1, "targets", DTYPE_I32) ||
        !expect_like(n, 1, "targets", 0, true))
        return false;
    int rank = shape_of_rows(n->in[0], dim);
    node_output(n, DTYPE_F32, rank, dim);
    node_output(n, DTYPE_F32, rank, dim);
    return true;
}

static bool cross_entropy_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "cross_entropy_forward");
    call_tensor(&c, "LOSS", n->out[0]);
    call_tensor(&c, "LSE", n->out[1]);
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "TARGETS", n->in[1]);
    call_int(&c, tensor_last(n->in[0]));
    return call_rows(&c, tensor_rows(n->in[0]));
}

/* Inputs logits, targets, lse, dloss. */
static bool cross_entropy_backward_infer(node *n)
{
    node_output(n, n->in[0]->type, n->in[0]->rank, n->in[0]->dim);
    return true;
}

static bool cross_entropy_backward_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "cross_entropy_backward");
    call_tensor(&c, "X", n->out[0]); /* dlogits has the type of the logits */
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "TARGETS", n->in[1]);
    call_tensor(&c, "LSE", n->in[2]);
    call_tensor(&c, "LOSS", n->in[3]);
    call_int(&c, tensor_last(n->in[0]));
    return call_rows(&c, tensor_rows(n->in[0]));
}

static const op_def cross_entropy_backward = { .name = "cross_entropy",
                                               .infer = cross_entropy_backward_infer,
                                               .bind = cross_entropy_backward_bind };

static void cross_entropy_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { n->in[0], n->in[1], n->out[1], op_contiguous(dout[0]) };
    din[0] = graph_node1(n->graph, &cross_entropy_backward, 4, in, NULL, 0);
}

static const op_def cross_entropy = { .name = "cross_entropy",
                                      .infer = cross_entropy_infer,
                                      .bind = cross_entropy_bind,
                                      .grad = cross_entropy_grad };

tensor *op_cross_entropy(tensor *logits, tensor *targets)
{
    tensor *in[] = { op_contiguous(logits), op_contiguous(targets) };
    return graph_node1(logits->graph, &cross_entropy, 2, in, NULL, 0);
}

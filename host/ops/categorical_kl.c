/* categorical_kl.c -- KL(p || uniform) = ln K + sum p ln p per row, p = softmax(logits).
 * The second output is the log-sum-exp of the row.
 * Gradient: dlogits = p (ln p - sum p ln p) dkl.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

#include <math.h>

static bool categorical_kl_infer(node *n)
{
    int64_t dim[TENSOR_RANK_MAX];
    if (!expect_float(n, 0, "logits")) return false;
    if (n->in[0]->rank < 1) return graph_fail(n->graph, "categorical_kl: logits need at least one axis");
    int rank = shape_of_rows(n->in[0], dim);
    node_output(n, DTYPE_F32, rank, dim);
    node_output(n, DTYPE_F32, rank, dim);
    return true;
}

static bool categorical_kl_bind(const node *n, binder *b)
{
    const tensor *x = n->in[0];
    kernel_call c = call_begin(b, n, "categorical_kl_forward");
    call_tensor(&c, "KL", n->out[0]);
    call_tensor(&c, "LSE", n->out[1]);
    call_tensor(&c, "X", x);
    call_int(&c, tensor_last(x));
    call_float(&c, (float)log((double)tensor_last(x)));
    return call_rows(&c, tensor_rows(x));
}

/* Inputs logits, kl, lse, dkl. */
static bool categorical_kl_backward_infer(node *n)
{
    node_output(n, n->in[0]->type, n->in[0]->rank, n->in[0]->dim);
    return true;
}

static bool categorical_kl_backward_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "categorical_kl_backward");
    call_tensor(&c, "X", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "KL", n->in[1]);
    call_tensor(&c, "LSE", n->in[2]);
    call_tensor(&c, "KL", n->in[3]); /* dkl has kl's type */
    call_int(&c, tensor_last(n->in[0]));
    call_float(&c, (float)log((double)tensor_last(n->in[0])));
    return call_rows(&c, tensor_rows(n->in[0]));
}

static const op_def kl_backward = { .name = "categorical_kl",
                                    .infer = categorical_kl_backward_infer,
                                    .bind = categorical_kl_backward_bind };

static void categorical_kl_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { n->in[0], n->out[0], n->out[1], op_contiguous(dout[0]) };
    din[0] = graph_node1(n->graph, &kl_backward, 4, in, NULL, 0);
}

static const op_def categorical_kl = { .name = "categorical_kl",
                                       .infer = categorical_kl_infer,
                                       .bind = categorical_kl_bind,
                                       .grad = categorical_kl_grad };

tensor *op_categorical_kl(tensor *logits)
{
    tensor *in[] = { op_contiguous(logits) };
    return graph_node1(logits->graph, &categorical_kl, 1, in, NULL, 0);
}

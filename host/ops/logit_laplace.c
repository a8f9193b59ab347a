/* logit_laplace.c -- -ln f(x; mu, b), f = exp(-|logit x - mu| / b) / (2 b x (1 - x)) (A.3 of arXiv
 * 2102.12092):
 *   loss = ln 2 + ln b + ln x + ln(1 - x) + |logit x - mu| / b
 * Gradient: dmu = -sign(logit x - mu) / b, dln b = 1 - |logit x - mu| / b, times dloss; none for x.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool logit_laplace_infer(node *n)
{
    const tensor *x = n->in[0];
    if (!expect_float(n, 0, "x") || !expect_float(n, 1, "stats")) return false;
    int64_t wanted[TENSOR_RANK_MAX];
    for (int i = 0; i < x->rank; ++i) wanted[i] = x->dim[i];
    if (x->rank < 1 || tensor_last(x) != 3)
        return graph_fail(n->graph, "logit_laplace: x must be [..,3], not %s", tensor_shape_text(x));
    wanted[x->rank - 1] = 6;
    if (!expect_shape(n, 1, "stats", x->rank, wanted)) return false;
    node_output(n, DTYPE_F32, x->rank, x->dim);
    return true;
}

static bool logit_laplace_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "logit_laplace_forward");
    call_tensor(&c, "LOSS", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "STATS", n->in[1]);
    call_int(&c, tensor_rows(n->in[0]));
    return call_items(&c, tensor_rows(n->in[0]));
}

/* Inputs x, stats, dloss. */
static bool logit_laplace_backward_infer(node *n)
{
    node_output(n, n->in[1]->type, n->in[1]->rank, n->in[1]->dim);
    return true;
}

static bool logit_laplace_backward_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "logit_laplace_backward");
    call_tensor(&c, "STATS", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "STATS", n->in[1]);
    call_tensor(&c, "LOSS", n->in[2]);
    call_int(&c, tensor_rows(n->in[0]));
    return call_items(&c, tensor_rows(n->in[0]));
}

static const op_def laplace_backward = { .name = "logit_laplace",
                                         .infer = logit_laplace_backward_infer,
                                         .bind = logit_laplace_backward_bind };

static void logit_laplace_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { n->in[0], n->in[1], op_contiguous(dout[0]) };
    din[1] = graph_node1(n->graph, &laplace_backward, 3, in, NULL, 0);
}

static const op_def logit_laplace = { .name = "logit_laplace",
                                      .infer = logit_laplace_infer,
                                      .bind = logit_laplace_bind,
                                      .grad = logit_laplace_grad };

tensor *op_logit_laplace(tensor *x, tensor *stats)
{
    tensor *in[] = { op_contiguous(x), op_contiguous(stats) };
    return graph_node1(x->graph, &logit_laplace, 2, in, NULL, 0);
}

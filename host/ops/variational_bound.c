/* variational_bound.c -- the term of the variational bound that a step back of the diffusion process adds,
 * per value and in nats, as a function of the variance that a network gives (arXiv 2102.09672, 3.1).
 *   m(x) = c0 x + c1 x_t, a = m(x0) - m(predicted x0)
 *   p = ln posterior variance, l = (1+v)/2 ln beta + (1-v)/2 p
 *   t > 0: (e^(p-l) - 1 - p + l + a^2 e^-l) / 2, the KL divergence of N(m(x0), e^p) and N(m(predicted), e^l)
 *   t = 0: -ln of what N(m(predicted), e^l) has within 1/255 of x0, at the ends of [-1,1] also all that lies
 *          beyond; 1e-12 at the least
 * Gradient to v only: the mean is trained by another loss.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

enum { START, NOISED, PREDICTED, V, COEFFICIENTS, INPUTS, DLOSS = INPUTS };

static bool variational_bound_infer(node *n)
{
    static const char *const what[] = { "x0", "x_t", "predicted x0", "v" };
    const tensor *x = n->in[START];
    for (int k = START; k <= V; ++k)
        if (!expect_float(n, k, what[k]) || !expect_like(n, k, what[k], START, false)) return false;
    if (x->rank < 1)
        return graph_fail(n->graph, "variational_bound: x0 must be [B,..], not %s", tensor_shape_text(x));
    if (!expect_type(n, COEFFICIENTS, "coefficients", DTYPE_F32) ||
        !expect_shape(n, COEFFICIENTS, "coefficients", 2, (int64_t[]){ x->dim[0], 8 }))
        return false;
    node_output(n, DTYPE_F32, x->rank, x->dim);
    return true;
}

static bool call_terms(kernel_call *c, const node *n)
{
    const int64_t count = tensor_count(n->in[START]);
    call_tensor(c, "START", n->in[START]);
    call_tensor(c, "NOISED", n->in[NOISED]);
    call_tensor(c, "PREDICTED", n->in[PREDICTED]);
    call_tensor(c, "V", n->in[V]);
    call_tensor(c, "COEFFICIENTS", n->in[COEFFICIENTS]);
    call_int(c, count);
    call_int(c, count / n->in[START]->dim[0]);
    return call_items(c, count);
}

static bool variational_bound_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "variational_bound_forward");
    call_tensor(&c, "LOSS", n->out[0]);
    return call_terms(&c, n);
}

static bool variational_bound_backward_infer(node *n)
{
    node_output(n, n->in[V]->type, n->in[V]->rank, n->in[V]->dim);
    return true;
}

static bool variational_bound_backward_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "variational_bound_backward");
    call_tensor(&c, "V", n->out[0]);
    call_tensor(&c, "LOSS", n->in[DLOSS]);
    return call_terms(&c, n);
}

static const op_def bound_backward = { .name = "variational_bound",
                                       .infer = variational_bound_backward_infer,
                                       .bind = variational_bound_backward_bind };

static void variational_bound_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[INPUTS + 1] = { [DLOSS] = op_contiguous(dout[0]) };
    for (int k = 0; k < INPUTS; ++k) in[k] = n->in[k];
    din[V] = graph_node1(n->graph, &bound_backward, INPUTS + 1, in, NULL, 0);
}

static const op_def variational_bound = { .name = "variational_bound",
                                          .infer = variational_bound_infer,
                                          .bind = variational_bound_bind,
                                          .grad = variational_bound_grad };

tensor *op_variational_bound(tensor *x0, tensor *xt, tensor *predicted_x0, tensor *v, tensor *coefficients)
{
    tensor *in[INPUTS] = { op_contiguous(x0), op_contiguous(xt), op_contiguous(predicted_x0),
                           op_contiguous(v), op_contiguous(coefficients) };
    return graph_node1(x0->graph, &variational_bound, INPUTS, in, NULL, 0);
}

/* dropout.c -- y = x / (1 - p) where the element's uniform draw is at least p, else 0.
 * Gradient: the same with dy for x; nothing is saved, the draws are made again.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "host/ops/expect.h"
#include "host/ops/ops.h"

typedef struct dropout_attributes {
    float probability;
    bool named; /* the stream is the name of the first node made: copies of it draw the same */
    uint32_t stream;
} dropout_attributes;

static bool dropout_infer(node *n)
{
    dropout_attributes *a = n->attributes;
    if (!a->named) {
        a->stream = philox_stream(n->name);
        a->named = true;
    }
    if (!(a->probability >= 0.0f && a->probability < 1.0f))
        return graph_fail(n->graph, "dropout: probability %g is not in [0, 1)", (double)a->probability);
    if (!expect_float(n, 0, "x") || !expect_control(n, 1, "random", DTYPE_I32, 4)) return false;
    node_output(n, n->in[0]->type, n->in[0]->rank, n->in[0]->dim);
    return true;
}

static bool dropout_bind(const node *n, binder *b)
{
    const dropout_attributes *a = n->attributes;
    int64_t count = tensor_count(n->in[0]);
    kernel_call c = call_begin(b, n, "dropout_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "X", n->in[0]);
    call_tensor(&c, "RANDOM", n->in[1]);
    call_int(&c, count);
    call_int(&c, count / n->in[0]->dim[0]);
    call_uint(&c, a->stream);
    call_float(&c, a->probability);
    call_float(&c, 1.0f / (1.0f - a->probability));
    return call_elements(&c, count);
}

static void dropout_grad(node *n, tensor *const *dout, tensor **din);
static const op_def dropout = {
    .name = "dropout", .infer = dropout_infer, .bind = dropout_bind, .grad = dropout_grad
};

static void dropout_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *in[] = { op_contiguous(dout[0]), n->in[1] };
    din[0] = graph_node1(n->graph, &dropout, 2, in, n->attributes, sizeof(dropout_attributes));
}

tensor *op_dropout(tensor *x, float probability, tensor *random)
{
    dropout_attributes a = { .probability = probability };
    tensor *in[] = { op_contiguous(x), random };
    return graph_node1(x->graph, &dropout, 2, in, &a, sizeof a);
}

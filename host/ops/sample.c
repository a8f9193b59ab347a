/* sample.c -- draws one token per row of logits.  In this order:
 *   temperature  z = logits / temperature; 0 takes the largest logit (ties: the lowest index)
 *   top-k        the k largest stay (ties: lower indices first); 0 or k >= V keeps all
 *   top-p        of these, softmax weights from the largest down (ties: lower indices first) until their sum
 *                reaches p of the whole; at least one; p >= 1 keeps all
 *   the draw     u uniform by Philox; the first kept index, in index order, at which the running sum of the
 *                weights exceeds u times their sum
 * No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "host/ops/expect.h"
#include "host/ops/ops.h"

typedef struct sample_attributes {
    bool named;
    uint32_t stream;
} sample_attributes;

enum { LOGITS, SETTINGS, RANDOM, POSITION };

static bool sample_infer(node *n)
{
    sample_attributes *a = n->attributes;
    if (!a->named) a->stream = philox_stream(n->name);
    a->named = true;
    const tensor *x = n->in[LOGITS];
    if (!expect_float(n, LOGITS, "logits") || !expect_control(n, SETTINGS, "settings", DTYPE_F32, 4) ||
        !expect_control(n, RANDOM, "random", DTYPE_I32, 4) ||
        !expect_control(n, POSITION, "position", DTYPE_I32, 1))
        return false;
    if (x->rank != 2)
        return graph_fail(n->graph, "sample: logits must be [B,V], not %s", tensor_shape_text(x));
    node_output(n, DTYPE_I32, 1, x->dim);
    return true;
}

static int64_t sample_workspace(const node *n, device *d, error *err)
{
    (void)d;
    (void)err;
    return tensor_count(n->in[LOGITS]) * (int64_t)sizeof(float);
}

static bool sample_bind(const node *n, binder *b)
{
    const sample_attributes *a = n->attributes;
    kernel_call c = call_begin(b, n, "sample");
    call_tensor(&c, "IDS", n->out[0]);
    call_workspace(&c, "WEIGHTS");
    call_tensor(&c, "X", n->in[LOGITS]);
    call_tensor(&c, "SETTINGS", n->in[SETTINGS]);
    call_tensor(&c, "RANDOM", n->in[RANDOM]);
    call_tensor(&c, "POSITION", n->in[POSITION]);
    call_int(&c, tensor_last(n->in[LOGITS]));
    call_uint(&c, a->stream);
    return call_rows(&c, tensor_rows(n->in[LOGITS]));
}

static const op_def sample = { "sample", sample_infer, sample_bind, NULL, sample_workspace };

tensor *op_sample(tensor *logits, tensor *settings, tensor *random, tensor *position)
{
    sample_attributes a = { 0 };
    tensor *in[] = { op_contiguous(logits), settings, random, position };
    return graph_node1(logits->graph, &sample, 4, in, &a, sizeof a);
}

/* sample.c -- draws one token per row of logits.  In this order:
 *   guidance     where there are two rows a picture, z = without + guidance (with - without)
 *   temperature  z / temperature; 0 takes the largest logit (ties: the lowest index)
 *   top-k        the k largest stay (ties: lower indices first); 0 or k >= V keeps all
 *   top-p        of these, softmax weights from the largest down (ties: lower indices first) until their sum
 *                reaches p of the whole; at least one; p >= 1 keeps all
 *   the draw     u uniform by Philox; the first kept index, in index order, at which the running sum of the
 *                weights exceeds u times their sum
 * op_sample_into leaves it in two places, which saves a step of decoding two copies, and says how unsure the
 * logits given the caption are: their entropy at temperature 1, before top-k and top-p.
 * No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "host/ops/expect.h"
#include "host/ops/ops.h"

typedef struct sample_attributes {
    bool named;
    uint32_t stream;
} sample_attributes;

/* The last three: of op_sample_into; else NULL. */
enum { LOGITS, SETTINGS, RANDOM, POSITION, TOKEN, HISTORY, ENTROPIES, INPUTS };

/* Whether each picture has two rows of logits. */
static bool guided(const node *n)
{
    const tensor *history = n->in[HISTORY];
    return history && history->rank == 2 && n->in[LOGITS]->dim[0] == 2 * history->dim[1];
}

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
    if (!n->in[TOKEN]) {
        node_output(n, DTYPE_I32, 1, x->dim);
        return true;
    }
    const int64_t *history = n->in[HISTORY]->dim;
    int64_t pictures = x->dim[0] / (guided(n) ? 2 : 1);
    if (!expect_control(n, TOKEN, "token", DTYPE_I32, x->dim[0]) ||
        !expect_type(n, HISTORY, "history", DTYPE_I32) ||
        !expect_shape(n, HISTORY, "history", 2, (int64_t[]){ history[0], pictures }) ||
        !expect_type(n, ENTROPIES, "entropies", DTYPE_F32) ||
        !expect_shape(n, ENTROPIES, "entropies", 2, history))
        return false;
    node_output_in_place(n, TOKEN);
    node_output_in_place(n, HISTORY);
    node_output_in_place(n, ENTROPIES);
    return true;
}

/* The weights of each row, and with guidance its logits beside them. */
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
    /* Without a history others stand where it would, and are not written. */
    const tensor *history = n->in[HISTORY] ? n->out[1] : n->out[0];
    const tensor *entropies = n->in[HISTORY] ? n->out[2] : n->in[SETTINGS];
    call_define(&c, "HISTORY=%d", n->in[HISTORY] != NULL);
    if (guided(n)) call_define(&c, "GUIDED=1");
    call_tensor(&c, "IDS", n->out[0]);
    call_tensor(&c, "HISTORY", history);
    call_tensor(&c, "ENTROPIES", entropies);
    call_workspace(&c, "WEIGHTS");
    call_tensor(&c, "X", n->in[LOGITS]);
    call_tensor(&c, "SETTINGS", n->in[SETTINGS]);
    call_tensor(&c, "RANDOM", n->in[RANDOM]);
    call_tensor(&c, "POSITION", n->in[POSITION]);
    call_int(&c, history->dim[0]);
    call_int(&c, tensor_last(n->in[LOGITS]));
    call_uint(&c, a->stream);
    return call_rows(&c, tensor_rows(n->in[LOGITS]) / (guided(n) ? 2 : 1));
}

static const op_def sample = {
    .name = "sample", .infer = sample_infer, .bind = sample_bind, .workspace = sample_workspace
};

tensor *op_sample(tensor *logits, tensor *settings, tensor *random, tensor *position)
{
    sample_attributes a = { 0 };
    tensor *in[INPUTS] = { op_contiguous(logits), settings, random, position };
    return graph_node1(logits->graph, &sample, INPUTS, in, &a, sizeof a);
}

void op_sample_into(tensor *logits, tensor *settings, tensor *random, tensor *position, tensor *token,
                    tensor *history, tensor *entropies)
{
    sample_attributes a = { 0 };
    tensor *in[INPUTS] = { op_contiguous(logits), settings, random, position, token, history, entropies };
    graph_update(graph_node1(logits->graph, &sample, INPUTS, in, &a, sizeof a));
}

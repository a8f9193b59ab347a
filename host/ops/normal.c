/* normal.c -- standard normal numbers, each sample's by a stream of its own: hash(name) + random[3] + b.
 * No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "host/ops/expect.h"
#include "host/ops/ops.h"

typedef struct normal_attributes {
    bool named; /* the stream is the name of the first node made: copies of it draw the same */
    uint32_t stream;
    dtype type;
    int rank;
    int64_t dim[TENSOR_RANK_MAX];
} normal_attributes;

static bool normal_infer(node *n)
{
    normal_attributes *a = n->attributes;
    if (!a->named) a->stream = philox_stream(n->name);
    a->named = true;
    if (!dtype_is_float(a->type) || a->rank < 1)
        return graph_fail(n->graph,
                          "normal: numbers like %s with %d axes; a floating type and at least one are needed",
                          dtype_name(a->type), a->rank);
    if (!expect_control(n, 0, "random", DTYPE_I32, 4)) return false;
    node_output(n, a->type, a->rank, a->dim);
    return true;
}

static bool normal_bind(const node *n, binder *b)
{
    const normal_attributes *a = n->attributes;
    int64_t samples = a->dim[0], sample = tensor_count(n->out[0]) / samples;
    kernel_call c = call_begin(b, n, "normal_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "RANDOM", n->in[0]);
    call_int(&c, samples);
    call_int(&c, sample);
    call_uint(&c, a->stream);
    return call_items(&c, samples * ((sample + 3) / 4));
}

static const op_def normal = { .name = "normal", .infer = normal_infer, .bind = normal_bind };

tensor *op_normal(tensor *like, tensor *random)
{
    if (like->poison) return like;
    normal_attributes a = { .type = like->type, .rank = like->rank };
    for (int i = 0; i < like->rank; ++i) a.dim[i] = like->dim[i];
    return graph_node1(like->graph, &normal, 1, &random, &a, sizeof a);
}

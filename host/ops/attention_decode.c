/* attention_decode.c -- y[b, h] = sum_k softmax_k(scale q[b, h] . keys[b, h, k]) values[b, h, k] over the keys
 * that the mask shows to the query at position[0].  Only those keys are read.  No gradient.
 * The order of every sum depends on the mask, the position and the kernel's shape, never on B.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/mask.h"
#include "host/ops/shared.h"

#define DECODE_HEAD_MAX 1024

typedef struct decode_attributes {
    mask pattern;
    float scale;
} decode_attributes;

enum { QUERY, KEYS, VALUES, POSITION };

const mask *attention_decode_mask(const node *n)
{
    const decode_attributes *a = n->attributes;
    return &a->pattern;
}

static bool attention_decode_infer(node *n)
{
    const decode_attributes *a = n->attributes;
    const tensor *q = n->in[QUERY], *keys = n->in[KEYS];
    if (!expect_float(n, QUERY, "q") || !expect_float(n, KEYS, "keys") ||
        !expect_type(n, VALUES, "values", keys->type) ||
        !expect_control(n, POSITION, "position", DTYPE_I32, 1) ||
        !expect_like(n, VALUES, "values", KEYS, false))
        return false;
    if (q->rank != 4 || keys->rank != 4 || q->dim[0] != keys->dim[0] || q->dim[1] != keys->dim[1] ||
        q->dim[2] != 1 || q->dim[3] != keys->dim[3])
        return graph_fail(n->graph, "attention_decode: q %s must be [B,H,1,D] and keys %s [B,H,T,D]",
                          tensor_shape_text(q), tensor_shape_text(keys));
    if (q->dim[3] > DECODE_HEAD_MAX)
        return graph_fail(n->graph, "attention_decode: head size %lld is above %d", (long long)q->dim[3],
                          DECODE_HEAD_MAX);
    if (a->pattern.side < 1 || a->pattern.text < 0 || a->pattern.window < 1)
        return graph_fail(n->graph, "attention_decode: impossible mask (text %d, side %d, window %d)",
                          (int)a->pattern.text, (int)a->pattern.side, (int)a->pattern.window);
    node_output(n, q->type, 4, q->dim);
    return true;
}

static bool attention_decode_bind(const node *n, binder *b)
{
    const decode_attributes *a = n->attributes;
    const tensor *keys = n->in[KEYS];
    kernel_call c = call_begin(b, n, "attention_decode");
    call_define(&c, "HEAD=%lld", (long long)keys->dim[3]);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "Q", n->in[QUERY]);
    call_tensor(&c, "CACHE", keys);
    call_tensor(&c, "CACHE", n->in[VALUES]); /* the same type */
    call_tensor(&c, "POSITION", n->in[POSITION]);
    call_int(&c, keys->dim[2]);
    call_int(&c, (int64_t)a->pattern.kind);
    call_int(&c, a->pattern.text);
    call_int(&c, a->pattern.side);
    call_int(&c, mask_extent(&a->pattern));
    call_float(&c, a->scale);
    return call_rows(&c, keys->dim[0] * keys->dim[1]);
}

static const op_def attention_decode = { "attention_decode", attention_decode_infer, attention_decode_bind,
                                         NULL, NULL };

tensor *op_attention_decode(tensor *q, tensor *keys, tensor *values, const struct mask *pattern,
                            tensor *position, float scale)
{
    decode_attributes a = { *pattern, scale };
    tensor *in[] = { op_contiguous(q), op_contiguous(keys), op_contiguous(values), position };
    return graph_node1(q->graph, &attention_decode, 4, in, &a, sizeof a);
}

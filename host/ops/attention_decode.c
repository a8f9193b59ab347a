/* attention_decode.c -- one token of decoding: its key and value go into the cache at position[0], then
 *   y[b, h] = sum_k softmax_k(scale q[b, h] . keys[b, h, k]) values[b, h, k]
 * over the keys that the mask shows to it.  Only those are read.  No gradient.
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

enum { QUERY, KEY, VALUE, KEYS, VALUES, POSITION };

static bool attention_decode_infer(node *n)
{
    const decode_attributes *a = n->attributes;
    const tensor *q = n->in[QUERY], *keys = n->in[KEYS];
    if (!expect_float(n, QUERY, "q") || !expect_like(n, KEY, "key", QUERY, false) ||
        !expect_like(n, VALUE, "value", QUERY, false) || !expect_type(n, KEY, "key", q->type) ||
        !expect_type(n, VALUE, "value", q->type) || !expect_float(n, KEYS, "keys") ||
        !expect_type(n, VALUES, "values", keys->type) ||
        !expect_control(n, POSITION, "position", DTYPE_I32, 1) ||
        !expect_like(n, VALUES, "values", KEYS, false))
        return false;
    if (keys->rank != 4 || tensor_count(q) != keys->dim[0] * keys->dim[1] * keys->dim[3])
        return graph_fail(n->graph,
                          "attention_decode: q %s is not one token, [B,H,D], for keys %s, [B,H,T,D]",
                          tensor_shape_text(q), tensor_shape_text(keys));
    if (keys->dim[3] > DECODE_HEAD_MAX)
        return graph_fail(n->graph, "attention_decode: head size %lld is above %d", (long long)keys->dim[3],
                          DECODE_HEAD_MAX);
    if (a->pattern.side < 1 || a->pattern.text < 0 || a->pattern.window < 1)
        return graph_fail(n->graph, "attention_decode: impossible mask (text %d, side %d, window %d)",
                          (int)a->pattern.text, (int)a->pattern.side, (int)a->pattern.window);
    node_output(n, q->type, q->rank, q->dim);
    node_output_in_place(n, KEYS);
    node_output_in_place(n, VALUES);
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
    call_tensor(&c, "Q", n->in[KEY]); /* the same type */
    call_tensor(&c, "Q", n->in[VALUE]);
    call_tensor(&c, "CACHE", keys);
    call_tensor(&c, "CACHE", n->in[VALUES]);
    call_tensor(&c, "POSITION", n->in[POSITION]);
    call_int(&c, keys->dim[2]);
    call_int(&c, (int64_t)a->pattern.kind);
    call_int(&c, a->pattern.text);
    call_int(&c, a->pattern.side);
    call_int(&c, mask_extent(&a->pattern));
    call_float(&c, a->scale);
    return call_rows(&c, keys->dim[0] * keys->dim[1]);
}

/* Of one query at the end of the stream: the most that a step of drawing costs. */
static double attention_decode_flops(const node *n)
{
    const decode_attributes *a = n->attributes;
    const tensor *keys = n->in[KEYS];
    return 4.0 * (double)(keys->dim[0] * keys->dim[1] * keys->dim[3]) *
           (double)mask_seen(&a->pattern, (int32_t)keys->dim[2] - 1);
}

static const op_def attention_decode = { .name = "attention_decode",
                                         .infer = attention_decode_infer,
                                         .bind = attention_decode_bind,
                                         .flops = attention_decode_flops };

tensor *op_attention_decode(tensor *q, tensor *key, tensor *value, tensor *keys, tensor *values,
                            const struct mask *pattern, tensor *position, float scale)
{
    decode_attributes a = { *pattern, scale };
    tensor *in[] = { op_contiguous(q), op_contiguous(key), op_contiguous(value), keys, values, position };
    return graph_node1(q->graph, &attention_decode, 6, in, &a, sizeof a);
}

/* attention_decode.c -- one token of decoding: its key and value, if any, go into the cache at its position,
 * then
 *   y[b, h] = sum_k softmax_k(scale q[b, h] . keys[b, h, k]) values[b, h, k]
 * over the keys that the mask shows to it.  Only those are read.  No gradient.
 * The order of every sum depends on the mask, the position and the kernel's shape, never on B.
 * SPDX-License-Identifier: MIT */
#include "cl/mask.clh"
#include "host/ops/expect.h"
#include "host/ops/mask.h"
#include "host/ops/shared.h"

#define DECODE_HEAD_MAX 1024

typedef struct decode_attributes {
    mask pattern; /* its `valid` is an input */
    float scale;
} decode_attributes;

enum { QUERY, KEY, VALUE, KEYS, VALUES, POSITION, VALID, INPUTS };

/* Both or neither. */
static bool expect_token(const node *n)
{
    const dtype type = n->in[QUERY]->type;
    if (!n->in[KEY] && !n->in[VALUE]) return true;
    if (!n->in[KEY] || !n->in[VALUE])
        return graph_fail(n->graph, "attention_decode: a token has a key and a value, or neither");
    return expect_like(n, KEY, "key", QUERY, false) && expect_like(n, VALUE, "value", QUERY, false) &&
           expect_type(n, KEY, "key", type) && expect_type(n, VALUE, "value", type);
}

static bool attention_decode_infer(node *n)
{
    const decode_attributes *a = n->attributes;
    const tensor *q = n->in[QUERY], *keys = n->in[KEYS];
    if (!expect_float(n, QUERY, "q") || !expect_token(n) || !expect_float(n, KEYS, "keys") ||
        !expect_type(n, VALUES, "values", keys->type) || !expect_like(n, VALUES, "values", KEYS, false) ||
        (n->in[POSITION] && !expect_control(n, POSITION, "position", DTYPE_I32, 1)))
        return false;
    if (keys->rank != 4 || tensor_count(q) != keys->dim[0] * keys->dim[1] * keys->dim[3])
        return graph_fail(n->graph,
                          "attention_decode: q %s is not one token, [B,H,D], for keys %s, [B,H,T,D]",
                          tensor_shape_text(q), tensor_shape_text(keys));
    if (keys->dim[3] > DECODE_HEAD_MAX)
        return graph_fail(n->graph, "attention_decode: head size %lld is above %d", (long long)keys->dim[3],
                          DECODE_HEAD_MAX);
    if (!mask_expect(n, &a->pattern, 1, keys->dim[2]) ||
        (n->in[VALID] && !expect_control(n, VALID, "valid", DTYPE_I32, keys->dim[0])))
        return false;
    node_output(n, q->type, q->rank, q->dim);
    if (!n->in[KEY]) return true;
    node_output_in_place(n, KEYS);
    node_output_in_place(n, VALUES);
    return true;
}

static void call_token(kernel_call *c, const node *n)
{
    if (!n->in[KEY]) {
        call_define(c, "HAVE_TOKEN=0");
        return;
    }
    call_tensor(c, "Q", n->in[KEY]); /* the same type */
    call_tensor(c, "Q", n->in[VALUE]);
}

static bool attention_decode_bind(const node *n, binder *b)
{
    const decode_attributes *a = n->attributes;
    const tensor *keys = n->in[KEYS];
    const mask_bands bands = mask_bands_of(&a->pattern, keys->dim[2]);
    kernel_call c = call_begin(b, n, "attention_decode");
    call_define(&c, "HEAD=%lld", (long long)keys->dim[3]);
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "Q", n->in[QUERY]);
    call_token(&c, n);
    call_tensor(&c, "CACHE", keys);
    call_tensor(&c, "CACHE", n->in[VALUES]);
    if (n->in[POSITION])
        call_tensor(&c, "POSITION", n->in[POSITION]);
    else
        call_define(&c, "HAVE_POSITION=0");
    mask_call_valid(&c, n->in[VALID]);
    call_int(&c, keys->dim[1]);
    mask_call(&c, &bands);
    call_float(&c, a->scale);
    return call_rows(&c, keys->dim[0] * keys->dim[1]);
}

/* Of one query at the end of the stream: the most that a step of drawing costs. */
static double attention_decode_flops(const node *n)
{
    const decode_attributes *a = n->attributes;
    const tensor *keys = n->in[KEYS];
    const int32_t length = (int32_t)keys->dim[2];
    return 4.0 * (double)(keys->dim[0] * keys->dim[1] * keys->dim[3]) *
           (double)mask_seen(&a->pattern, length - 1, length);
}

static const op_def attention_decode = { .name = "attention_decode",
                                         .infer = attention_decode_infer,
                                         .bind = attention_decode_bind,
                                         .flops = attention_decode_flops };

tensor *op_attention_decode(tensor *q, tensor *key, tensor *value, tensor *keys, tensor *values,
                            const struct mask *pattern, tensor *position, float scale)
{
    decode_attributes a = { *pattern, scale };
    a.pattern.valid = NULL;
    tensor *in[INPUTS] = { op_contiguous(q), NULL, NULL, keys, values, position, pattern->valid };
    if (key) in[KEY] = op_contiguous(key);
    if (value) in[VALUE] = op_contiguous(value);
    if (!key) { /* they are not written to, and may be views */
        in[KEYS] = op_contiguous(keys);
        in[VALUES] = op_contiguous(values);
    }
    return graph_node1(q->graph, &attention_decode, INPUTS, in, &a, sizeof a);
}

/* part.c -- what a step that runs once for each part of its batch keeps from one part to the next, in place:
 *   part_add   sum = (0 in the first part, else sum) + scale x
 *   part_put   whole[first sample ...] = x
 * random[3], the part's first sample, says which part it is.  No gradient but x's of part_put: what the
 * gradient of the whole holds at the part's place.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool part_add_infer(node *n)
{
    if (!expect_float(n, 0, "sum") || !expect_float(n, 1, "x") || !expect_like(n, 1, "x", 0, false) ||
        !expect_control(n, 2, "random", DTYPE_I32, 4))
        return false;
    node_output_in_place(n, 0);
    return true;
}

static bool part_add_bind(const node *n, binder *b)
{
    const float *scale = n->attributes;
    kernel_call c = call_begin_in(b, n, "ops/part", "part_add");
    call_tensor(&c, "SUM", n->out[0]);
    call_tensor(&c, "X", n->in[1]);
    call_tensor(&c, "RANDOM", n->in[2]);
    call_int(&c, tensor_count(n->in[1]));
    call_float(&c, *scale);
    return call_elements(&c, tensor_count(n->in[1]));
}

static const op_def part_add = { .name = "part_add", .infer = part_add_infer, .bind = part_add_bind };

tensor *op_part_add(tensor *sum, tensor *x, tensor *random, float scale)
{
    tensor *in[] = { sum, op_contiguous(x), random };
    return graph_node1(sum->graph, &part_add, 3, in, &scale, sizeof scale);
}

static bool part_put_infer(node *n)
{
    const tensor *whole = n->in[0], *x = n->in[1];
    bool tokens = whole->type == DTYPE_I32 && x->type == DTYPE_I32; /* exact below 2^24 */
    if (!tokens && (!expect_float(n, 0, "whole") || !expect_float(n, 1, "x"))) return false;
    if (!expect_control(n, 2, "random", DTYPE_I32, 4)) return false;
    bool fits = whole->rank == x->rank && x->rank > 0 && whole->dim[0] % x->dim[0] == 0;
    for (int i = 1; fits && i < x->rank; ++i) fits = whole->dim[i] == x->dim[i];
    if (!fits)
        return graph_fail(n->graph, "part_put: x %s is no part of %s", tensor_shape_text(x),
                          tensor_shape_text(whole));
    node_output_in_place(n, 0);
    return true;
}

static bool part_put_bind(const node *n, binder *b)
{
    const tensor *x = n->in[1];
    kernel_call c = call_begin_in(b, n, "ops/part", "part_put");
    call_tensor(&c, "WHOLE", n->out[0]);
    call_tensor(&c, "X", x);
    call_tensor(&c, "RANDOM", n->in[2]);
    call_int(&c, tensor_count(x));
    call_int(&c, tensor_count(x) / x->dim[0]);
    call_int(&c, n->in[0]->dim[0]);
    return call_elements(&c, tensor_count(x));
}

/* The part's samples of `whole`, of which it has so many. */
typedef struct get_attributes {
    int64_t samples;
    dtype type;
} get_attributes;

static bool part_get_infer(node *n)
{
    const tensor *whole = n->in[0];
    const get_attributes *a = n->attributes;
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < whole->rank; ++i) dim[i] = i ? whole->dim[i] : a->samples;
    node_output(n, a->type, whole->rank, dim);
    return true;
}

static bool part_get_bind(const node *n, binder *b)
{
    const tensor *x = n->out[0];
    kernel_call c = call_begin_in(b, n, "ops/part", "part_get");
    call_tensor(&c, "X", x);
    call_tensor(&c, "WHOLE", n->in[0]);
    call_tensor(&c, "RANDOM", n->in[1]);
    call_int(&c, tensor_count(x));
    call_int(&c, tensor_count(x) / x->dim[0]);
    call_int(&c, n->in[0]->dim[0]);
    return call_elements(&c, tensor_count(x));
}

static const op_def part_get = { .name = "part_get", .infer = part_get_infer, .bind = part_get_bind };

static void part_put_grad(node *n, tensor *const *dout, tensor **din)
{
    const get_attributes a = { n->in[1]->dim[0], n->in[1]->type };
    tensor *in[] = { op_contiguous(dout[0]), n->in[2] };
    din[1] = graph_node1(n->graph, &part_get, 2, in, &a, sizeof a);
}

static const op_def part_put = {
    .name = "part_put", .infer = part_put_infer, .bind = part_put_bind, .grad = part_put_grad
};

tensor *op_part_put(tensor *whole, tensor *x, tensor *random)
{
    tensor *in[] = { whole, op_contiguous(x), random };
    return graph_node1(whole->graph, &part_put, 3, in, NULL, 0);
}

/* accumulate.c -- the two operators that autograd itself needs: the constant it starts from and the
 * sum of gradient contributions.  They live here because the graph knows no operators.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"

typedef struct fill_attributes {
    float value;
    dtype type;
    int rank;
    int64_t dim[TENSOR_RANK_MAX];
} fill_attributes;

static bool fill_infer(node *n)
{
    const fill_attributes *a = n->attributes;
    return !node_output(n, a->type, a->rank, a->dim)->poison;
}

static bool fill_bind(const node *n, binder *b)
{
    const fill_attributes *a = n->attributes;
    kernel_call c = call_begin_in(b, n, "graph/accumulate", "fill_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_float(&c, a->value);
    call_int(&c, tensor_count(n->out[0]));
    return call_elements(&c, tensor_count(n->out[0]));
}

static const op_def fill = { .name = "fill", .infer = fill_infer, .bind = fill_bind };

tensor *graph_fill(graph *g, float value, int rank, const int64_t *dim, dtype type)
{
    fill_attributes a = { .value = value, .type = type, .rank = rank };
    for (int i = 0; i < rank; ++i) a.dim[i] = dim[i];
    return graph_node1(g, &fill, 0, NULL, &a, sizeof a);
}

static bool accumulate_infer(node *n)
{
    const tensor *a = n->in[0], *b = n->in[1];
    if (!tensor_same_shape(a, b))
        return graph_fail(n->graph,
                          "gradients of one tensor differ in shape: %s and %s; an operator's grad is wrong",
                          tensor_shape_text(a), tensor_shape_text(b));
    return !node_output(n, a->type, a->rank, a->dim)->poison;
}

/* Sizes and strides, right-aligned to six axes, as build options. */
static void define_strides(kernel_call *c, const tensor *a, const tensor *b)
{
    int64_t dim[TENSOR_RANK_MAX], sa[TENSOR_RANK_MAX], sb[TENSOR_RANK_MAX];
    int lead = TENSOR_RANK_MAX - a->rank;
    for (int i = 0; i < TENSOR_RANK_MAX; ++i) {
        dim[i] = i < lead ? 1 : a->dim[i - lead];
        sa[i] = i < lead ? 0 : a->stride[i - lead];
        sb[i] = i < lead ? 0 : b->stride[i - lead];
    }
    for (int i = 0; i < TENSOR_RANK_MAX; ++i)
        call_define(c, "D%d=%lld -DA%d=%lld -DB%d=%lld", i, (long long)dim[i], i, (long long)sa[i], i,
                    (long long)sb[i]);
}

static bool accumulate_bind(const node *n, binder *to)
{
    const tensor *a = n->in[0], *b = n->in[1], *y = n->out[0];
    bool plain = tensor_is_contiguous(a) && tensor_is_contiguous(b);
    kernel_call c =
        call_begin_in(to, n, "graph/accumulate", plain ? "accumulate_forward" : "accumulate_forward_strided");
    call_tensor(&c, "Y", y);
    call_tensor_view(&c, "A", a);
    call_tensor_view(&c, "B", b);
    if (plain) {
        call_int(&c, tensor_count(y));
        return call_elements(&c, tensor_count(y));
    }
    define_strides(&c, a, b);
    call_int(&c, tensor_rows(y));
    return call_items(&c, tensor_rows(y));
}

static const op_def accumulate = { .name = "accumulate", .infer = accumulate_infer, .bind = accumulate_bind };

tensor *graph_accumulate(graph *g, int count, tensor *const *parts)
{
    tensor *sum = parts[0];
    for (int i = 1; i < count; ++i) {
        tensor *pair[2] = { sum, parts[i] };
        sum = graph_node1(g, &accumulate, 2, pair, NULL, 0);
    }
    return sum;
}

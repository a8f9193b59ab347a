/* householder.c -- rows that are orthonormal and span what those of a = factor x + shift I do, for matrices
 * x [.., r, n], r <= n: the first r columns of Q in a^T = Q R by Householder's reflections,
 *   H_j = I - 2 v v^T / |v|^2,  v = a_j with its first j numbers cleared, a_jj moved away from zero by |v|,
 * which stays stable where Gram and Schmidt's way does not.  Reflection after reflection, all rows and
 * matrices at once.  No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/ops/ops.h"

typedef struct householder_attributes {
    float factor, shift;
} householder_attributes;

static bool householder_infer(node *n)
{
    const tensor *x = n->in[0];
    bool fits = dtype_is_float(x->type) && x->rank >= 2 && x->dim[x->rank - 2] <= tensor_last(x);
    if (!fits)
        return graph_fail(n->graph,
                          "householder: %s %s; a floating type and matrices of no more rows than columns are "
                          "needed",
                          dtype_name(x->type), tensor_shape_text(x));
    return !node_output(n, x->type, x->rank, x->dim)->poison;
}

static int64_t householder_workspace(const node *n, device *d, error *err)
{
    const tensor *x = n->in[0];
    (void)d;
    (void)err;
    return 2 * (tensor_count(x) + tensor_rows(x)) * (int64_t)sizeof(float);
}

static bool reflect(const node *n, binder *b, int64_t j)
{
    const tensor *x = n->in[0];
    const int64_t rows = tensor_rows(x), r = x->dim[x->rank - 2];
    kernel_call c = call_begin(b, n, "householder_reflect");
    call_workspace(&c, "WORK");
    call_int(&c, rows);
    call_int(&c, r);
    call_int(&c, tensor_last(x));
    call_int(&c, j);
    return call_rows(&c, rows / r * (r - j));
}

static bool householder_bind(const node *n, binder *b)
{
    const tensor *x = n->in[0];
    const householder_attributes *a = n->attributes;
    const int64_t rows = tensor_rows(x), r = x->dim[x->rank - 2];
    kernel_call begin = call_begin(b, n, "householder_begin");
    call_workspace(&begin, "WORK");
    call_tensor(&begin, "X", x);
    call_int(&begin, r);
    call_int(&begin, tensor_last(x));
    call_float(&begin, a->factor);
    call_float(&begin, a->shift);
    if (!call_rows(&begin, rows)) return false;
    for (int64_t j = 0; j < r; ++j)
        if (!reflect(n, b, j)) return false;
    kernel_call form = call_begin(b, n, "householder_form");
    call_tensor(&form, "Y", n->out[0]);
    call_workspace(&form, "WORK");
    call_int(&form, rows);
    call_int(&form, r);
    call_int(&form, tensor_last(x));
    return call_rows(&form, rows);
}

static const op_def householder = { .name = "householder",
                                    .infer = householder_infer,
                                    .bind = householder_bind,
                                    .workspace = householder_workspace };

tensor *op_householder(tensor *x, float factor, float shift)
{
    householder_attributes a = { factor, shift };
    x = op_contiguous(x);
    return graph_node1(x->graph, &householder, 1, &x, &a, sizeof a);
}

/* matmul.c -- matrix products of the last two axes, of views as they are.
 * Leading axes are folded into at most two batch axes by their strides; what cannot be folded is copied.
 * Gradients are products again; a b without leading axes gets the sum over them as one long product.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

typedef struct matmul_attributes {
    product_end end;
    bool ta, tb;
    dtype type;
} matmul_attributes;

static const char *const names[2][2] = { { "matmul", "matmul_nt" }, { "matmul_tn", "matmul_tt" } };

/* Sizes of one product. */
typedef struct product {
    int64_t m, n, k_a, k_b;
    int rank; /* of the result */
    int64_t dim[TENSOR_RANK_MAX];
} product;

static bool measure(graph *g, const tensor *a, const tensor *b, bool ta, bool tb, product *p)
{
    const char *name = names[ta][tb];
    if (!dtype_is_float(a->type) || !dtype_is_float(b->type))
        return graph_fail(g, "%s: types %s and %s; floating types are needed", name, dtype_name(a->type),
                          dtype_name(b->type));
    if (a->rank < 2 || b->rank < 2)
        return graph_fail(g, "%s: %s and %s; both need at least two axes", name, tensor_shape_text(a),
                          tensor_shape_text(b));
    p->m = a->dim[a->rank - (ta ? 1 : 2)];
    p->k_a = a->dim[a->rank - (ta ? 2 : 1)];
    p->k_b = b->dim[b->rank - (tb ? 1 : 2)];
    p->n = b->dim[b->rank - (tb ? 2 : 1)];
    if (p->k_a != p->k_b)
        return graph_fail(g, "%s: inner sizes differ: %s and %s", name, tensor_shape_text(a),
                          tensor_shape_text(b));
    const tensor *lead = a->rank >= b->rank ? a : b;
    bool equal = a->rank == 2 || b->rank == 2 || a->rank == b->rank;
    for (int i = 0; equal && i < lead->rank - 2; ++i)
        equal = a->rank == 2 || b->rank == 2 || a->dim[i] == b->dim[i];
    if (!equal)
        return graph_fail(g, "%s: leading axes differ: %s and %s", name, tensor_shape_text(a),
                          tensor_shape_text(b));
    p->rank = lead->rank;
    for (int i = 0; i < p->rank - 2; ++i) p->dim[i] = lead->dim[i];
    p->dim[p->rank - 2] = p->m;
    p->dim[p->rank - 1] = p->n;
    return true;
}

static int64_t lead_stride(const tensor *t, int axis)
{
    return t->rank == 2 ? 0 : t->stride[axis];
}

/* The descriptor, or false if the leading axes do not fold into two. */
static bool describe(const tensor *a, const tensor *b, const tensor *y, bool ta, bool tb, gemm_desc *desc)
{
    int lead = y->rank - 2, axes = 0;
    int64_t dim[TENSOR_RANK_MAX], sa[TENSOR_RANK_MAX], sb[TENSOR_RANK_MAX], sy[TENSOR_RANK_MAX];
    for (int i = 0; i < lead; ++i) {
        if (y->dim[i] == 1) continue;
        int64_t d = y->dim[i], xa = lead_stride(a, i), xb = lead_stride(b, i), xy = y->stride[i];
        if (axes && sa[axes - 1] == xa * d && sb[axes - 1] == xb * d && sy[axes - 1] == xy * d) {
            --axes;
            d *= dim[axes];
        }
        dim[axes] = d;
        sa[axes] = xa;
        sb[axes] = xb;
        sy[axes++] = xy;
    }
    int ra = a->rank, rb = b->rank;
    *desc = (gemm_desc){
        .m = y->dim[lead], .n = y->dim[lead + 1], .k = a->dim[ra - (ta ? 2 : 1)], .batch = { 1, 1 }
    };
    desc->a = (gemm_operand){ .type = a->type, .row = a->stride[ra - 2], .column = a->stride[ra - 1] };
    desc->b = (gemm_operand){ .type = b->type, .row = b->stride[rb - 2], .column = b->stride[rb - 1] };
    desc->c = (gemm_operand){ .type = y->type, .row = y->stride[lead], .column = y->stride[lead + 1] };
    if (ta) desc->a = (gemm_operand){ .type = a->type, .row = desc->a.column, .column = desc->a.row };
    if (tb) desc->b = (gemm_operand){ .type = b->type, .row = desc->b.column, .column = desc->b.row };
    /* A shared b under rows that continue across the last batch axis: one longer product. */
    if (axes && sb[axes - 1] == 0 && sa[axes - 1] == desc->a.row * desc->m &&
        sy[axes - 1] == desc->c.row * desc->m)
        desc->m *= dim[--axes];
    if (axes > 2) return false;
    for (int i = 0; i < axes; ++i) {
        int to = i + 2 - axes;
        desc->batch[to] = dim[i];
        desc->a.batch[to] = sa[i];
        desc->b.batch[to] = sb[i];
        desc->c.batch[to] = sy[i];
    }
    return true;
}

static bool describe_node(const node *n, gemm_desc *desc)
{
    const matmul_attributes *at = n->attributes;
    if (!describe(n->in[0], n->in[1], n->out[0], at->ta, at->tb, desc)) return false;
    gemm_epilogue(n, desc);
    return true;
}

static bool matmul_infer(node *n)
{
    const matmul_attributes *at = n->attributes;
    product p;
    n->addend = PRODUCT_RESIDUAL;
    return measure(n->graph, n->in[0], n->in[1], at->ta, at->tb, &p) &&
           !node_output(n, at->type, p.rank, p.dim)->poison;
}

static int64_t matmul_workspace(const node *n, device *d, error *err)
{
    gemm_desc desc;
    CHECK(describe_node(n, &desc), "%s: leading axes do not fold", n->name);
    return gemm_workspace(d, &desc, err);
}

static bool matmul_bind(const node *n, binder *b)
{
    gemm_desc desc;
    CHECK(describe_node(n, &desc), "%s: leading axes do not fold", n->name);
    return gemm_record(b, n, &desc);
}

static tensor *flat(tensor *x)
{
    return op_reshape(x, 2, (int64_t[]){ -1, tensor_last(x) });
}

/* [.., K, M] -> [.. M, K], as a view. */
static tensor *turned(tensor *x)
{
    int axes[TENSOR_RANK_MAX];
    for (int i = 0; i < x->rank; ++i) axes[i] = i;
    axes[x->rank - 2] = x->rank - 1;
    axes[x->rank - 1] = x->rank - 2;
    return op_permute(x, axes);
}

/* d(left right) / d(right) for a right operand [K, N] shared by all leading axes of dy [.., M, N]. */
static tensor *shared_gradient(tensor *left, bool turn, tensor *dy, bool transposed, dtype type)
{
    tensor *rows = turn ? turned(left) : left; /* [.., M, K] */
    return transposed ? matmul_as(flat(dy), flat(rows), true, false, type)
                      : matmul_as(flat(rows), flat(dy), true, false, type);
}

static void matmul_grad(node *n, tensor *const *dout, tensor **din)
{
    const matmul_attributes *at = n->attributes;
    tensor *a = n->in[0], *b = n->in[1], *dy = dout[0];
    if (a->needs_gradient) {
        if (a->rank == 2 && dy->rank > 2) /* y^T = b^T a^T: a is the shared right operand */
            din[0] = shared_gradient(b, !at->tb, turned(dy), !at->ta, a->type);
        else
            din[0] =
                at->ta ? matmul_as(b, dy, at->tb, true, a->type) : matmul_as(dy, b, false, !at->tb, a->type);
    }
    if (b->needs_gradient) {
        if (b->rank == 2 && dy->rank > 2)
            din[1] = shared_gradient(a, at->ta, dy, at->tb, b->type);
        else
            din[1] =
                at->tb ? matmul_as(dy, a, true, at->ta, b->type) : matmul_as(a, dy, !at->ta, false, b->type);
    }
}

static double matmul_flops(const node *n)
{
    const matmul_attributes *at = n->attributes;
    const tensor *a = n->in[0];
    return 2.0 * (double)tensor_count(n->out[0]) * (double)a->dim[a->rank - (at->ta ? 2 : 1)];
}

/* Names are for people: the scope then says which product it was. */
static const op_def matmul[2][2] = {
    { { "matmul", matmul_infer, matmul_bind, matmul_grad, matmul_workspace, matmul_flops },
      { "matmul_nt", matmul_infer, matmul_bind, matmul_grad, matmul_workspace, matmul_flops } },
    { { "matmul_tn", matmul_infer, matmul_bind, matmul_grad, matmul_workspace, matmul_flops },
      { "matmul_tt", matmul_infer, matmul_bind, matmul_grad, matmul_workspace, matmul_flops } }
};

tensor *matmul_as(tensor *a, tensor *b, bool ta, bool tb, dtype type)
{
    graph *g = a->graph;
    product p = { .rank = 0 };
    if (a->poison || b->poison || !measure(g, a, b, ta, tb, &p)) return graph_poison(g);
    tensor y = { .graph = g, .type = type, .rank = p.rank };
    int64_t stride = 1;
    for (int i = p.rank - 1; i >= 0; --i) {
        y.dim[i] = p.dim[i];
        y.stride[i] = stride;
        stride *= p.dim[i];
    }
    gemm_desc desc;
    tensor *in[PRODUCT_INPUTS] = { a, b };
    if (!describe(a, b, &y, ta, tb, &desc)) {
        in[0] = op_contiguous(a);
        in[1] = op_contiguous(b);
    }
    matmul_attributes at = { { .alpha = 1.0f }, ta, tb, type };
    return graph_node1(g, &matmul[ta][tb], PRODUCT_INPUTS, in, &at, sizeof at);
}

tensor *op_matmul(tensor *a, tensor *b)
{
    return matmul_as(a, b, false, false, a->type);
}

tensor *op_matmul_nt(tensor *a, tensor *b)
{
    return matmul_as(a, b, false, true, a->type);
}

tensor *op_matmul_tn(tensor *a, tensor *b)
{
    return matmul_as(a, b, true, false, a->type);
}

/* ---- For all operators that are a GEMM ---- */

int64_t gemm_workspace(device *d, const gemm_desc *desc, error *err)
{
    gemm_plan *p = gemm_plan_create(d, desc, err);
    int64_t bytes = p ? gemm_plan_workspace_bytes(p) : -1;
    gemm_plan_destroy(p);
    return bytes;
}

static const tensor *input(const node *n, int i)
{
    return i < n->in_count ? n->in[i] : NULL;
}

bool product_take_slope(tensor *dy, tensor *point, activation f)
{
    node *n = dy->poison ? NULL : graph_sole_maker(dy);
    if (!n || n->in[PRODUCT_POINT] || point->type != dy->type || !tensor_same_shape(point, dy)) return false;
    if (!tensor_is_contiguous(point) || (point->from && point->from->index > n->index)) return false;
    n->in[PRODUCT_POINT] = point;
    ((product_end *)n->attributes)->slope = f;
    return true;
}

bool expect_residual(node *n)
{
    const tensor *residual = input(n, PRODUCT_RESIDUAL), *y = n->out[0];
    if (!residual || (tensor_same_shape(residual, y) && residual->type == y->type)) return true;
    return graph_fail(n->graph, "%s: residual %s %s does not fit result %s %s", n->def->name,
                      dtype_name(residual->type), tensor_shape_text(residual), dtype_name(y->type),
                      tensor_shape_text(y));
}

void gemm_epilogue(const node *n, gemm_desc *desc)
{
    const product_end *end = n->attributes;
    const tensor *bias = input(n, PRODUCT_BIAS);
    desc->alpha = end->alpha;
    desc->bias = bias != NULL;
    desc->bias_type = bias ? bias->type : DTYPE_F32;
    desc->activation = end->activation;
    desc->preactivation = n->out_count > 1;
    desc->slope = end->slope;
    desc->residual = input(n, PRODUCT_RESIDUAL) != NULL;
}

bool gemm_record(binder *b, const node *n, const gemm_desc *desc)
{
    gemm_buffers to = { .workspace = NULL };
    to.a = binder_buffer(b, n->in[PRODUCT_A], &to.a_offset);
    to.b = binder_buffer(b, n->in[PRODUCT_B], &to.b_offset);
    to.c = binder_buffer(b, n->out[0], &to.c_offset);
    if (desc->bias) to.bias = binder_buffer(b, n->in[PRODUCT_BIAS], &to.bias_offset);
    if (desc->preactivation) to.preactivation = binder_buffer(b, n->out[1], &to.preactivation_offset);
    if (desc->slope) to.point = binder_buffer(b, n->in[PRODUCT_POINT], &to.point_offset);
    if (desc->residual) to.residual = binder_buffer(b, n->in[PRODUCT_RESIDUAL], &to.residual_offset);
    to.workspace = binder_workspace(b, n, &to.workspace_offset);
    gemm_plan *p = gemm_plan_create(binder_device(b), desc, binder_error(b));
    bool ok = p && gemm_plan_record(p, binder_launches(b), n->def->name, &to, binder_error(b));
    gemm_plan_destroy(p);
    return ok;
}

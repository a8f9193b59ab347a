/* matmul.c -- matrix products of tensors and views.
 * ints: transpose a, transpose b, view (see build).
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

enum { WHOLE, HEADS, PERMUTED3 };

/* HEADS: a and b are [B,T,H*D], cut into heads [B,H,T,D] as attention does, without a copy.
 * PERMUTED3: three leading axes in an order that does not fold. */
static tensor *view(tensor *x, int64_t kind)
{
    if (x->poison || kind == WHOLE) return x;
    if (kind == HEADS)
        return op_permute(op_reshape(x, 4, (int64_t[]){ x->dim[0], x->dim[1], 2, -1 }),
                          (int[]){ 0, 2, 1, 3 });
    return op_permute(x, (int[]){ 2, 1, 0, 3, 4 });
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *a = view(in[0], c->ints[2]), *b = view(in[1], c->ints[2]);
    out[0] = c->ints[0] ? op_matmul_tn(a, b) : c->ints[1] ? op_matmul_nt(a, b) : op_matmul(a, b);
}

/* The element (batch, i, j) of what view() makes, batch counted along its leading axes in order. */
static double element(const op_array *x, int64_t kind, int64_t batch, int64_t i, int64_t j)
{
    if (kind == HEADS) {
        int64_t T = x->dim[1], D = x->dim[2] / 2;
        return x->v[((batch / 2 * T + i) * 2 + batch % 2) * D + j];
    }
    int64_t rows = x->dim[x->rank - 2], last = x->last;
    if (kind == PERMUTED3) {
        int64_t p = x->dim[0], q = x->dim[1], r = x->dim[2];
        int64_t k = batch % p, m = batch / p % q, l = batch / p / q;
        batch = (k * q + m) * r + l;
    }
    if (x->rank == 2) batch = 0;
    return x->v[(batch * rows + i) * last + j];
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t kind = c->ints[2], m = out[0].dim[out[0].rank - 2], n = out[0].last;
    int64_t last = kind == HEADS ? in[0].last / 2 : in[0].last;
    int64_t rows = kind == HEADS ? in[0].dim[1] : in[0].dim[in[0].rank - 2];
    int64_t inner = c->ints[0] ? rows : last;
    for (int64_t r = out[0].from; r < out[0].to; ++r)
        for (int64_t j = 0; j < n; ++j)
            for (int64_t k = 0; k < inner; ++k) {
                const int64_t s = r / m, i = r % m;
                out[0].v[r * n + j] +=
                    (c->ints[0] ? element(&in[0], kind, s, k, i) : element(&in[0], kind, s, i, k)) *
                    (c->ints[1] ? element(&in[1], kind, s, j, k) : element(&in[1], kind, s, k, j));
            }
}

#define X(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ } \
    }
static const op_case cases[] = {
    { .name = "plain", .in = { X(2, 7, 13), X(2, 13, 5) } },
    { .name = "nt", .in = { X(2, 7, 13), X(2, 5, 13) }, .ints = { 0, 1 } },
    { .name = "tn", .in = { X(2, 13, 7), X(2, 13, 5) }, .ints = { 1, 0 } },
    { .name = "batched", .in = { X(3, 3, 4, 9), X(3, 3, 9, 5) } },
    { .name = "batched nt", .in = { X(4, 2, 3, 4, 9), X(4, 2, 3, 5, 9) }, .ints = { 0, 1 } },
    { .name = "batched tn", .in = { X(3, 2, 9, 4), X(3, 2, 9, 5) }, .ints = { 1, 0 } },
    { .name = "shared b", .in = { X(4, 2, 3, 4, 9), X(2, 9, 5) } },
    { .name = "shared b nt", .in = { X(3, 3, 4, 9), X(2, 5, 9) }, .ints = { 0, 1 } },
    { .name = "shared b tn", .in = { X(3, 3, 9, 4), X(2, 9, 5) }, .ints = { 1, 0 } },
    { .name = "shared a", .in = { X(2, 4, 9), X(3, 3, 9, 5) } },
    { .name = "shared a nt", .in = { X(2, 4, 9), X(3, 3, 5, 9) }, .ints = { 0, 1 } },
    { .name = "shared a tn", .in = { X(2, 9, 4), X(3, 3, 9, 5) }, .ints = { 1, 0 } },
    { .name = "heads nt", .in = { X(3, 2, 5, 12), X(3, 2, 5, 12) }, .ints = { 0, 1, HEADS } },
    { .name = "heads", .in = { X(3, 2, 6, 12), X(3, 2, 6, 10) }, .ints = { 0, 0, HEADS } },
    { .name = "unfoldable", .in = { X(5, 2, 3, 2, 2, 3), X(5, 2, 3, 2, 3, 2) }, .ints = { 0, 0, PERMUTED3 } },
    { .name = "one element", .in = { X(2, 1, 1), X(2, 1, 1) } },
    { .name = "larger", .in = { X(2, 65, 67), X(2, 67, 70) }, .large = true },
    { .name = "inner sizes",
      .in = { X(2, 4, 9), X(2, 8, 5) },
      .fails = "inner sizes differ: [4,9] and [8,5]" },
    { .name = "leading axes", .in = { X(3, 2, 4, 9), X(3, 3, 9, 5) }, .fails = "leading axes differ" },
    { .name = "one axis", .in = { X(1, 4), X(2, 4, 5) }, .fails = "at least two axes" },
};

static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(3, (int64_t[]){ size[0], size[1], size[3] });
    c->in[1] = op_case_in(3, (int64_t[]){ size[0], size[3], size[2] });
}

static const op_timed timed[] = {
    { "matmul", "BATCHxMxNxK", "16x256x256x64", make },
    { 0 },
};

const op_test matmul_tests[] = {
    { "matmul", build, reference, OP_CASES(cases), timed },
    { 0 },
};

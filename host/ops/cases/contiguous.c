/* contiguous.c -- row-major copies of views up to six axes.  ints: which view.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

enum { WHOLE, TURNED, CUT, SIX };

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *x = in[0];
    if (c->ints[0] == TURNED) x = op_permute(x, (int[]){ 1, 0 });
    if (c->ints[0] == CUT) x = op_slice(x, 1, 3, 20);
    if (c->ints[0] == SIX) x = op_permute(x, (int[]){ 5, 0, 4, 1, 3, 2 });
    out[0] = op_contiguous(x);
    CHECK(out[0]->poison || tensor_is_contiguous(out[0]), "op_contiguous gives a view (%d)", out[0]->rank);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    static const int axes[4][6] = { { 0, 1 }, { 1, 0 }, { 0, 1 }, { 5, 0, 4, 1, 3, 2 } };
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        int64_t at[6] = { 0 }, from = 0, rest = i;
        for (int k = out[0].rank - 1; k >= 0; --k) {
            at[axes[c->ints[0]][k]] = rest % out[0].dim[k];
            rest /= out[0].dim[k];
        }
        if (c->ints[0] == CUT) at[1] += 3;
        for (int k = 0; k < in[0].rank; ++k) from = from * in[0].dim[k] + at[k];
        out[0].v[i] = in[0].v[from];
    }
}

static const op_case cases[] = {
    { .name = "whole", .in = { { .rank = 2, .dim = { 5, 29 } } }, .ints = { WHOLE } },
    { .name = "turned", .in = { { .rank = 2, .dim = { 5, 29 } } }, .ints = { TURNED } },
    { .name = "cut", .in = { { .rank = 2, .dim = { 5, 29 } } }, .ints = { CUT } },
    { .name = "cut integers",
      .in = { { .rank = 2, .dim = { 5, 29 }, .role = OP_INTEGER, .low = 16777300, .high = 16777400 } },
      .ints = { CUT },
      .f32_only = true },
    { .name = "six axes", .in = { { .rank = 6, .dim = { 2, 3, 2, 3, 2, 3 } } }, .ints = { SIX } },
};

static const op_timed timed[] = {
    { "contiguous", "ROWSxCOLUMNS", "2560x2048", op_case_rows, TURNED },
    { 0 },
};

const op_test contiguous_tests[] = {
    { "contiguous", build, reference, OP_CASES(cases), timed },
    { 0 },
};

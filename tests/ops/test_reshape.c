/* test_reshape.c -- other axes for the same elements, of whole tensors and of views.
 * ints: reshape dims; reals[0]: transpose first.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *x = c->reals[0] > 0 ? op_permute(in[0], (int[]){ 1, 0 }) : in[0];
    out[0] = op_reshape(x, c->ints[1] ? 2 : 1, c->ints);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t rows = c->reals[0] > 0 ? in[0].dim[0] : 1, columns = in[0].count / rows;
    for (int64_t i = 0; i < in[0].count; ++i) out[0].v[i] = in[0].v[i % rows * columns + i / rows];
    if (c->ints[1] == 15) op_case_shape(&out[0], 2, (int64_t)2, (int64_t)15);
}

static const op_case cases[] = {
    { .name = "flat", .in = { { .rank = 3, .dim = { 2, 3, 5 } } }, .ints = { 30 } },
    { .name = "open", .in = { { .rank = 3, .dim = { 2, 3, 5 } } }, .ints = { -1, 15 } },
    { .name = "of a view", .in = { { .rank = 2, .dim = { 6, 5 } } }, .ints = { 3, 10 }, .reals = { 1 } },
    { .name = "wrong",
      .in = { { .rank = 2, .dim = { 6, 5 } } },
      .ints = { 4, 7 },
      .fails = "[6,5] does not fit into [4,7]" },
    { .name = "two open",
      .in = { { .rank = 2, .dim = { 6, 5 } } },
      .ints = { -1, -1 },
      .fails = "does not fit" },
    { .name = "open and uneven",
      .in = { { .rank = 2, .dim = { 6, 5 } } },
      .ints = { -1, 7 },
      .fails = "does not fit" },
};

int main(void)
{
    return op_check_main(&(op_test){ "reshape", build, reference, OP_CASES(cases) });
}

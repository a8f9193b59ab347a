/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_embedding_padded(in[0], in[1], in[2]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t columns = in[0].last, tokens = in[2].last;
    for (int64_t i = 0; i < out[0].count; ++i) {
        int64_t row = i / columns, id = (int64_t)in[2].v[row];
        out[0].v[i] =
            id < 0 ? in[1].v[row % tokens * columns + i % columns] : in[0].v[id * columns + i % columns];
    }
}

static const op_case cases[] = {
    { .name = "odd", .in = { { 2, { 6, 19 } }, { 2, { 5, 19 } }, { 2, { 3, 5 }, OP_INTEGER, -3, 5 } } },
    { .name = "all padding",
      .in = { { 2, { 2, 3 } }, { 2, { 4, 3 } }, { 2, { 2, 4 }, OP_INTEGER, -1, -1 } } },
    { .name = "no padding", .in = { { 2, { 7, 16 } }, { 2, { 4, 16 } }, { 2, { 2, 4 }, OP_INTEGER, 0, 6 } } },
    { .name = "positions",
      .in = { { 2, { 7, 16 } }, { 2, { 3, 16 } }, { 2, { 2, 4 }, OP_INTEGER, 0, 6 } },
      .fails = "padding must be [4,16], not [3,16]" },
};

int main(void)
{
    return op_check_main(&(op_test){ "embedding_padded", build, reference, OP_CASES(cases) });
}

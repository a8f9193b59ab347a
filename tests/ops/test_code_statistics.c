/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    op_code_statistics(in[0], in[1], c->ints[0], &out[0], &out[1]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t columns = in[1].last;
    for (int64_t r = 0; r < in[0].count; ++r) {
        int64_t code = (int64_t)in[0].v[r];
        out[0].v[code] += 1.0;
        for (int64_t i = 0; i < columns; ++i) out[1].v[code * columns + i] += in[1].v[r * columns + i];
    }
}

static const op_case cases[] = {
    { .name = "odd",
      .in = { { 1, { 41 }, OP_INTEGER, 0, 12 }, { 2, { 41, 19 }, OP_FIXED } },
      .ints = { 13 } },
    { .name = "many codes",
      .in = { { 2, { 3, 5 }, OP_INTEGER, 20, 90 }, { 2, { 15, 16 }, OP_FIXED } },
      .ints = { 100 } },
    { .name = "one code",
      .in = { { 1, { 7 }, OP_INTEGER, 0, 0 }, { 2, { 7, 3 }, OP_FIXED } },
      .ints = { 1 } },
    { .name = "rows",
      .in = { { 1, { 6 }, OP_INTEGER, 0, 0 }, { 2, { 7, 3 }, OP_FIXED } },
      .ints = { 1 },
      .fails = "as many rows" },
};

int main(void)
{
    return op_check_main(&(op_test){ "code_statistics", build, reference, OP_CASES(cases) });
}

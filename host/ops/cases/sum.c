/* test_sum.c -- sums along the last axis, over rows, and of everything.  ints[0] names one.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

enum { LAST, ROWS, ALL, MEAN };

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    static tensor *(*const ops[])(tensor *) = { op_sum_last, op_sum_rows, op_sum_all, op_mean_all };
    out[0] = ops[c->ints[0]](in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    double factor = c->ints[0] == MEAN ? 1.0 / (double)in[0].count : 1.0;
    for (int64_t i = 0; i < in[0].count; ++i) {
        int64_t to = c->ints[0] == LAST ? i / in[0].last : c->ints[0] == ROWS ? i % in[0].last : 0;
        out[0].v[to] += factor * in[0].v[i];
    }
}

/* Values of one sign, so that the sum is not small against what was added. */
#define X(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ }, .low = -0.25, .high = 1.5 \
    }
static const op_case cases[] = {
    { .name = "last", .in = { X(3, 3, 5, 37) }, .ints = { LAST } },
    { .name = "last of three", .in = { X(2, 11, 3) }, .ints = { LAST } },
    { .name = "rows", .in = { X(3, 3, 5, 37) }, .ints = { ROWS } },
    { .name = "rows in stretches", .in = { X(2, 131, 83) }, .ints = { ROWS }, .large = true },
    { .name = "rows of three", .in = { X(2, 40, 3) }, .ints = { ROWS } },
    { .name = "many rows",
      .in = { { .rank = 2, .dim = { 1003, 64 }, .role = OP_FIXED, .low = 0, .high = 1 } },
      .ints = { ROWS },
      .large = true },
    { .name = "all", .in = { X(3, 3, 5, 7) }, .ints = { ALL } },
    { .name = "all in stretches",
      .in = { { .rank = 2, .dim = { 131, 181 }, .role = OP_FIXED, .low = 0, .high = 1 } },
      .ints = { ALL },
      .large = true },
    { .name = "mean", .in = { X(2, 5, 19) }, .ints = { MEAN } },
    { .name = "one element", .in = { X(1, 1) }, .ints = { MEAN } },
    { .name = "integers", .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } }, .fails = "sum_last: " },
};

int main(void)
{
    return op_check_main(&(op_test){ "sum", build, reference, OP_CASES(cases) });
}

/* test_slice.c -- part of an axis, and its gradient among zeros.  ints: axis, start, count.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_slice(in[0], (int)c->ints[0], c->ints[1], c->ints[2]);
    if (c->ints[3]) out[0] = op_square(out[0]); /* an operator that reads the slice */
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = 0; i < out[0].count; ++i) {
        int64_t at[3] = { i / out[0].dim[2] / out[0].dim[1], i / out[0].dim[2] % out[0].dim[1],
                          i % out[0].dim[2] };
        at[c->ints[0]] += c->ints[1];
        double x = in[0].v[(at[0] * in[0].dim[1] + at[1]) * in[0].dim[2] + at[2]];
        out[0].v[i] = c->ints[3] ? x * x : x;
    }
}

#define X \
    { \
        .rank = 3, .dim = { 4, 5, 16 } \
    }
static const op_case cases[] = {
    { .name = "first axis", .in = { X }, .ints = { 0, 1, 2 } },
    { .name = "middle", .in = { X }, .ints = { 1, 2, 3, 1 } },
    { .name = "last", .in = { X }, .ints = { 2, 3, 9, 1 } },
    { .name = "the end", .in = { { .rank = 3, .dim = { 5, 1, 13 } } }, .ints = { 0, 4, 1, 1 } },
    { .name = "all", .in = { X }, .ints = { 1, 0, 5 } },
    { .name = "too many", .in = { X }, .ints = { 1, 3, 3 }, .fails = "slice: 3 places from 3" },
    { .name = "none", .in = { X }, .ints = { 1, 3, 0 }, .fails = "slice: 0 places" },
    { .name = "no axis", .in = { X }, .ints = { 3, 0, 1 }, .fails = "has no axis 3" },
};

int main(void)
{
    return op_check_main(&(op_test){ "slice", build, reference, OP_CASES(cases) });
}

/* test_concat.c -- tensors one after the other.  ints: axis, parts.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_concat((int)c->ints[1], in, (int)c->ints[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t start = 0, axis = c->ints[0];
    for (int64_t k = 0; k < c->ints[1]; ++k) {
        int64_t inner = 1, size = in[k].dim[axis], all = out[0].dim[axis];
        for (int i = (int)axis + 1; i < in[k].rank; ++i) inner *= in[k].dim[i];
        for (int64_t i = 0; i < in[k].count; ++i)
            out[0].v[(i / (size * inner) * all + start + i / inner % size) * inner + i % inner] = in[k].v[i];
        start += size;
    }
}

#define X(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ } \
    }
static const op_case cases[] = {
    { .name = "first axis", .in = { X(2, 3, 7), X(2, 2, 7) }, .ints = { 0, 2 } },
    { .name = "middle", .in = { X(3, 2, 3, 5), X(3, 2, 1, 5), X(3, 2, 4, 5) }, .ints = { 1, 3 } },
    { .name = "last", .in = { X(2, 4, 19), X(2, 4, 1), X(2, 4, 6) }, .ints = { 1, 3 } },
    { .name = "one part", .in = { X(2, 4, 19) }, .ints = { 1, 1 } },
    { .name = "shapes", .in = { X(2, 4, 5), X(2, 3, 5) }, .ints = { 1, 2 }, .fails = "concat: part 1" },
    { .name = "no axis", .in = { X(2, 4, 5), X(2, 4, 5) }, .ints = { 2, 2 }, .fails = "has no axis 2" },
    { .name = "none", .in = { X(2, 4, 5) }, .ints = { 0, 0 }, .fails = "concat: 0 parts" },
};

int main(void)
{
    return op_check_main(&(op_test){ "concat", build, reference, OP_CASES(cases) });
}

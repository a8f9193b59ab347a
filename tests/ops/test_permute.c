/* test_permute.c -- axes in another order.  ints: the axes of a tensor of three.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_permute(in[0], (int[]){ (int)c->ints[0], (int)c->ints[1], (int)c->ints[2] });
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t stride[3] = { in[0].dim[1] * in[0].dim[2], in[0].dim[2], 1 };
    for (int64_t i = 0; i < out[0].count; ++i) {
        int64_t at[3] = { i / out[0].dim[2] / out[0].dim[1], i / out[0].dim[2] % out[0].dim[1],
                          i % out[0].dim[2] };
        int64_t from = 0;
        for (int k = 0; k < 3; ++k) from += at[k] * stride[c->ints[k]];
        out[0].v[i] = in[0].v[from];
    }
}

#define X \
    { \
        .rank = 3, .dim = { 3, 5, 7 } \
    }
static const op_case cases[] = {
    { .name = "same", .in = { X }, .ints = { 0, 1, 2 } },
    { .name = "outer", .in = { X }, .ints = { 1, 0, 2 } },
    { .name = "around", .in = { X }, .ints = { 1, 2, 0 } },
    { .name = "reversed", .in = { X }, .ints = { 2, 1, 0 } },
    { .name = "twice", .in = { X }, .ints = { 0, 0, 2 }, .fails = "permute: axis 0" },
    { .name = "beyond", .in = { X }, .ints = { 0, 1, 3 }, .fails = "permute: axis 3" },
};

int main(void)
{
    return op_check_main(&(op_test){ "permute", build, reference, OP_CASES(cases) });
}

/* test_cast.c -- the same values in another storage type.  ints[0]: the type; ints[1]: of a view.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *x = c->ints[1] ? op_slice(in[0], 0, 1, 2) : in[0];
    out[0] = op_cast(x, (dtype)c->ints[0]);
    CHECK(out[0]->poison || out[0]->type == (dtype)c->ints[0], "cast to %s", dtype_name(out[0]->type));
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = 0; i < out[0].count; ++i) out[0].v[i] = in[0].v[i + (c->ints[1] ? in[0].last : 0)];
}

#define X \
    { \
        .rank = 2, .dim = { 5, 7 } \
    }
static const op_case cases[] = {
    { .name = "to f32", .in = { X }, .ints = { DTYPE_F32 } },
    { .name = "to f16", .in = { X }, .ints = { DTYPE_F16 }, .tol = 1e-3 },
    { .name = "to bf16", .in = { X }, .ints = { DTYPE_BF16 }, .tol = 8e-3, .tol16 = 8 },
    { .name = "of a view", .in = { X }, .ints = { DTYPE_F16, 1 }, .tol = 1e-3 },
    { .name = "to 1-6-9", .in = { X }, .ints = { DTYPE_F169 }, .tol = 2e-3, .tol16 = 8 },
    { .name = "from integers",
      .in = { { .rank = 1, .dim = { 9 }, .role = OP_INTEGER, .low = -100, .high = 100 } },
      .ints = { DTYPE_F32 },
      .f32_only = true },
};

int main(void)
{
    return op_check_main(&(op_test){ "cast", build, reference, OP_CASES(cases) });
}

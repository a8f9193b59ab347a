/* test_linear.c -- linear layers with bias and activation.
 * ints[0]: which; ints[1]: with bias.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"
#include <math.h>

enum { PLAIN, RELU, GELU };

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    static tensor *(*const ops[])(tensor *, tensor *, tensor *) = { op_linear, op_linear_relu,
                                                                    op_linear_gelu };
    out[0] = ops[c->ints[0]](in[0], in[1], c->ints[1] ? in[2] : NULL);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t n = in[1].dim[0], k = in[1].dim[1];
    for (int64_t r = 0; r < in[0].rows; ++r)
        for (int64_t j = 0; j < n; ++j) {
            double z = c->ints[1] ? in[2].v[j] : 0;
            for (int64_t i = 0; i < k; ++i) z += in[0].v[r * k + i] * in[1].v[j * k + i];
            if (c->ints[0] == RELU) z = z > 0 ? z : 0;
            if (c->ints[0] == GELU) z = 0.5 * z * erfc(-z / sqrt(2.0));
            out[0].v[r * n + j] = z;
        }
}

#define X(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ } \
    }
#define CONST(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ }, .role = OP_FIXED \
    }
static const op_case cases[] = {
    { .name = "plain", .in = { X(3, 3, 5, 13), X(2, 7, 13), X(1, 7) }, .ints = { PLAIN, 1 } },
    { .name = "no bias", .in = { X(2, 6, 13), X(2, 7, 13) }, .ints = { PLAIN, 0 } },
    { .name = "one axis", .in = { X(1, 13), X(2, 7, 13), X(1, 7) }, .ints = { PLAIN, 1 } },
    { .name = "float bias",
      .in = { X(2, 5, 16), X(2, 8, 16), { .rank = 1, .dim = { 8 }, .role = OP_FLOAT } },
      .ints = { PLAIN, 1 } },
    { .name = "relu", .in = { X(2, 5, 13), X(2, 7, 13), X(1, 7) }, .ints = { RELU, 1 }, .tol16 = 2 },
    { .name = "gelu", .in = { X(3, 2, 5, 13), X(2, 7, 13), X(1, 7) }, .ints = { GELU, 1 }, .tol16 = 2 },
    { .name = "gelu forward only",
      .in = { CONST(2, 5, 13), CONST(2, 7, 13), CONST(1, 7) },
      .ints = { GELU, 1 } },
    { .name = "larger",
      .in = { X(2, 67, 70), X(2, 65, 70), X(1, 65) },
      .ints = { GELU, 1 },
      .tol16 = 2,
      .large = true },
    { .name = "weight",
      .in = { X(2, 5, 13), X(2, 13, 7) },
      .fails = "input [5,13] does not fit weight [13,7]" },
    { .name = "bias", .in = { X(2, 5, 13), X(2, 7, 13), X(1, 8) }, .ints = { 0, 1 }, .fails = "bias [8]" },
};

int main(void)
{
    return op_check_main(&(op_test){ "linear", build, reference, OP_CASES(cases) });
}

/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_cross_entropy(in[0], in[1]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t r = 0; r < out[0].count; ++r) {
        const double *x = in[0].v + r * in[0].last;
        double top = x[0], sum = 0.0;
        for (int64_t i = 0; i < in[0].last; ++i) top = fmax(top, x[i]);
        for (int64_t i = 0; i < in[0].last; ++i) sum += exp(x[i] - top);
        if (in[1].v[r] >= 0) out[0].v[r] = top + log(sum) - x[(int64_t)in[1].v[r]];
    }
}

static const double steep[] = { 100, 0, 0, 0, -200, 50, 3, 4, 0, 0, 0, 80, 81, 0, 0 };

static const op_case cases[] = {
    { .name = "odd", .in = { { 3, { 2, 3, 37 } }, { 2, { 2, 3 }, OP_INTEGER, 0, 36 } } },
    { .name = "some left out", .in = { { 2, { 9, 16 } }, { 1, { 9 }, OP_INTEGER, -4, 15 } } },
    { .name = "one column", .in = { { 2, { 3, 1 } }, { 1, { 3 }, OP_INTEGER, 0, 0 } }, .no_gradient = true },
    { .name = "steep", .in = { { 2, { 3, 5 }, .values = steep }, { 1, { 3 }, OP_INTEGER, 0, 4 } } },
    { .name = "wide",
      .in = { { 2, { 4, 1003 }, OP_VALUE, -8, 8 }, { 1, { 4 }, OP_INTEGER, 0, 1002 } },
      .large = true,
      .tol = 3e-5 },
    { .name = "shapes",
      .in = { { 2, { 4, 7 } }, { 1, { 3 }, OP_INTEGER, 0, 6 } },
      .fails = "targets must be [4], not [3]" },
};

int main(void)
{
    return op_check_main(&(op_test){ "cross_entropy", build, reference, OP_CASES(cases) });
}

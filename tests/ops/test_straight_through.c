/* The value is `hard`'s and the gradient `soft`'s.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_straight_through(in[0], in[1]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t i = 0; i < out[0].count; ++i) out[0].v[i] = in[0].v[i];
}

static void build_gradient(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)c;
    graph_backward(g, op_sum_all(op_mul(op_straight_through(in[0], in[1]), in[2])));
    out[0] = graph_gradient(g, in[1]);
}

static void reference_gradient(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t i = 0; i < out[0].count; ++i) out[0].v[i] = in[2].v[i];
}

static const op_case cases[] = {
    { .name = "odd", .in = { { 2, { 3, 7 }, OP_FIXED }, { 2, { 3, 7 }, OP_FIXED } } },
    { .name = "shapes",
      .in = { { 2, { 3, 7 } }, { 2, { 7, 3 } } },
      .fails = "soft must be [3,7], not [7,3]" },
};
static const op_case gradient_cases[] = {
    { .name = "odd",
      .in = { { 2, { 3, 7 }, OP_FIXED }, { 2, { 3, 7 } }, { 2, { 3, 7 }, OP_FIXED } },
      .no_gradient = true },
};

int main(void)
{
    const op_test tests[] = { { "straight_through", build, reference, OP_CASES(cases) },
                              { "its gradient", build_gradient, reference_gradient,
                                OP_CASES(gradient_cases) } };
    return op_check_all(2, tests);
}

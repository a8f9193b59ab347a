/* test_stop_gradient.c -- the value goes through, the gradient does not.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

/* y = stop(x) * a: were the gradient to pass, x would have one. */
static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g, (void)c;
    tensor *parameter = in[0], *stopped = op_stop_gradient(op_scale(parameter, 2.0f));
    CHECK(stopped->poison || !stopped->needs_gradient, "a stopped %s needs a gradient",
          tensor_shape_text(stopped));
    out[0] = op_add(op_mul(stopped, in[1]), parameter);
}

/* Central differences must not see the stopped path: the inputs of the case make it constant. */
static void reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = 0; i < in[0].count; ++i) out[0].v[i] = 2 * c->reals[0] * in[1].v[i] + in[0].v[i];
}

static const double halves[6] = { 0.5, 0.5, 0.5, 0.5, 0.5, 0.5 };

static const op_case cases[] = {
    { .name = "stopped",
      .in = { { .rank = 2, .dim = { 2, 3 }, .values = halves }, { .rank = 2, .dim = { 2, 3 } } },
      .reals = { 0.5 } },
};

int main(void)
{
    return op_check_main(&(op_test){ "stop_gradient", build, reference, OP_CASES(cases) });
}

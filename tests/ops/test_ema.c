/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_ema(in[0], in[1], in[2]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    double d = in[2].v[0];
    for (int64_t i = 0; i < out[0].count; ++i) out[0].v[i] = d * in[0].v[i] + (1.0 - d) * in[1].v[i];
}

static const double one[] = { 1 }, most[] = { 0.875 };

static const op_case cases[] = {
    { .name = "odd",
      .in = { { 2, { 7, 19 }, OP_STATE },
              { 2, { 7, 19 }, OP_FIXED },
              { 1, { 1 }, OP_CONTROL, .values = most } } },
    { .name = "left alone",
      .in = { { 1, { 33 }, OP_STATE }, { 1, { 33 }, OP_FIXED }, { 1, { 1 }, OP_CONTROL, .values = one } } },
    { .name = "shapes",
      .in = { { 1, { 33 }, OP_STATE }, { 1, { 3 }, OP_FIXED }, { 1, { 1 }, OP_CONTROL, .values = one } },
      .fails = "parameter must be [33], not [3]" },
};

int main(void)
{
    return op_check_main(&(op_test){ "ema", build, reference, OP_CASES(cases) });
}

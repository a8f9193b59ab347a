/* softmax.c -- softmax over the last axis, masked places included.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g, (void)c;
    out[0] = op_softmax(in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t n = in[0].last;
    for (int64_t r = out[0].from; r < out[0].to; ++r) {
        const double *x = in[0].v + r * n;
        double top = -INFINITY, sum = 0;
        for (int64_t i = 0; i < n; ++i) top = fmax(top, x[i]);
        for (int64_t i = 0; i < n; ++i) sum += exp(x[i] - top);
        for (int64_t i = 0; i < n; ++i) out[0].v[r * n + i] = exp(x[i] - top) / sum;
    }
}

static const double masked[8] = { 0.5, -INFINITY, 1.25, -INFINITY, -INFINITY, -INFINITY, -0.75, -INFINITY };

static const op_case cases[] = {
    { .name = "odd", .in = { { .rank = 3, .dim = { 2, 3, 37 }, .low = -4, .high = 4 } } },
    { .name = "one element", .in = { { .rank = 1, .dim = { 1 } } } },
    { .name = "long", .in = { { .rank = 2, .dim = { 2, 1031 } } }, .large = true },
    { .name = "far from zero", .in = { { .rank = 2, .dim = { 5, 16 }, .low = 200, .high = 210 } } },
    { .name = "masked",
      .in = { { .rank = 2, .dim = { 2, 4 }, .role = OP_FIXED, .values = masked } },
      .no_gradient = true },
    { .name = "integers",
      .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } },
      .fails = "softmax: I32" },
};

static const op_timed timed[] = {
    { "softmax", "ROWSxCOLUMNS", "2048x8192", op_case_rows },
    { 0 },
};

const op_test softmax_tests[] = {
    { "softmax", build, reference, OP_CASES(cases), timed },
    { 0 },
};

/* relu.c -- relu at odd sizes, far from zero and on a view.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_relu(c->ints[0] ? op_permute(in[0], (int[]){ 1, 0 }) : in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t rows = c->ints[0] ? in[0].dim[0] : 1, columns = in[0].count / rows;
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        double x = in[0].v[i % rows * columns + i / rows];
        out[0].v[i] = x > 0 ? x : 0;
    }
}

static const op_case cases[] = {
    { .name = "odd", .in = { { .rank = 3, .dim = { 3, 5, 7 } } }, .kinks = { 0 }, .kink_count = 1 },
    { .name = "one element", .in = { { .rank = 1, .dim = { 1 } } } },
    { .name = "wide",
      .in = { { .rank = 1, .dim = { 83 }, .low = -9, .high = 9 } },
      .kinks = { 0 },
      .kink_count = 1 },
    { .name = "view",
      .in = { { .rank = 2, .dim = { 5, 9 } } },
      .ints = { 1 },
      .kinks = { 0 },
      .kink_count = 1 },
    { .name = "integers", .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } }, .fails = "relu: " },
};

static const op_timed timed[] = {
    { "relu", "ROWSxCOLUMNS", "2560x2048", op_case_rows },
    { 0 },
};

const op_test relu_tests[] = {
    { "relu", build, reference, OP_CASES(cases), timed },
    { 0 },
};

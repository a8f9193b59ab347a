/* sum.c -- sums along the last axis, over rows, and of everything.  ints[0] names one.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

enum { LAST, ROWS, ALL, MEAN };

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    static tensor *(*const ops[])(tensor *) = { op_sum_last, op_sum_rows, op_sum_all, op_mean_all };
    out[0] = ops[c->ints[0]](in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const double factor = c->ints[0] == MEAN ? 1.0 / (double)in[0].count : 1.0;
    const int64_t step = c->ints[0] == ROWS ? in[0].last : 1;
    const int64_t count = c->ints[0] == LAST ? in[0].last : c->ints[0] == ROWS ? in[0].rows : in[0].count;
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        const double *x = in[0].v + (c->ints[0] == LAST ? i * count : i);
        for (int64_t k = 0; k < count; ++k) out[0].v[i] += factor * x[k * step];
    }
}

/* Values of one sign, so that the sum is not small against what was added. */
#define X(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ }, .low = -0.25, .high = 1.5 \
    }
static const op_case cases[] = {
    { .name = "last", .in = { X(3, 3, 5, 37) }, .ints = { LAST } },
    { .name = "last of three", .in = { X(2, 11, 3) }, .ints = { LAST } },
    { .name = "rows", .in = { X(3, 3, 5, 37) }, .ints = { ROWS } },
    { .name = "rows in stretches", .in = { X(2, 131, 83) }, .ints = { ROWS }, .large = true },
    { .name = "rows of three", .in = { X(2, 40, 3) }, .ints = { ROWS } },
    { .name = "many rows",
      .in = { { .rank = 2, .dim = { 1003, 64 }, .role = OP_FIXED, .low = 0, .high = 1 } },
      .ints = { ROWS },
      .large = true },
    { .name = "all", .in = { X(3, 3, 5, 7) }, .ints = { ALL } },
    { .name = "all in stretches",
      .in = { { .rank = 2, .dim = { 131, 181 }, .role = OP_FIXED, .low = 0, .high = 1 } },
      .ints = { ALL },
      .large = true },
    { .name = "mean", .in = { X(2, 5, 19) }, .ints = { MEAN } },
    { .name = "one element", .in = { X(1, 1) }, .ints = { MEAN } },
    { .name = "integers", .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } }, .fails = "sum_last: " },
};

/* Of one sign, as above. */
static void make(op_case *c, const int64_t *size)
{
    op_case_rows(c, size);
    c->in[0].low = -0.25;
}

static const op_timed timed[] = {
    { "sum_last", "ROWSxCOLUMNS", "65536x256", make, LAST },
    { "sum_rows", "ROWSxCOLUMNS", "65536x256", make, ROWS },
    { "sum_all", "ROWSxCOLUMNS", "65536x256", make, ALL },
    { "mean_all", "ROWSxCOLUMNS", NULL, make, MEAN },
    { 0 },
};

const op_test sum_tests[] = {
    { "sum", build, reference, OP_CASES(cases), timed },
    { 0 },
};

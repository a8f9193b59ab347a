/* sum_squares.c -- the sum of squares of several tensors, and how many of their elements are 0.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

/* ints[0] parts: the inputs, over and over, so that more than a node's share are chained. */
static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *parts[40];
    int given = c->in[1].rank ? c->in[2].rank ? 3 : 2 : 1;
    for (int i = 0; i < c->ints[0]; ++i) parts[i] = in[i % given];
    out[0] = c->ints[1] ? op_count_zeros((int)c->ints[0], parts) : op_sum_squares((int)c->ints[0], parts);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int given = c->in[1].rank ? c->in[2].rank ? 3 : 2 : 1;
    for (int i = 0; i < c->ints[0]; ++i)
        for (int64_t k = 0; k < in[i % given].count; ++k)
            out[0].v[0] += c->ints[1] ? in[i % given].v[k] == 0 : in[i % given].v[k] * in[i % given].v[k];
}

static const double some[21] = { 0, 1, -0.0, 2, 1e-3, 0, 0, 0, 0, 5, 6, 7, 0, 8, -9, 1, 2, 0, 3, 4, 0 };
static const double none[3] = { 1, -1, 0.5 };

static const op_case cases[] = {
    { .name = "one", .in = { { 2, { 7, 5 }, OP_FIXED } }, .ints = { 1 } },
    { .name = "three",
      .in = { { 2, { 7, 5 }, OP_FIXED }, { 1, { 1 }, OP_FIXED }, { 3, { 3, 5, 11 }, OP_FIXED } },
      .ints = { 3 } },
    { .name = "chained",
      .in = { { 2, { 7, 5 }, OP_FIXED }, { 1, { 3 }, OP_FIXED }, { 1, { 16 }, OP_FIXED } },
      .ints = { 23 } },
    { .name = "zeros",
      .in = { { 2, { 3, 7 }, OP_FIXED, .values = some }, { 1, { 3 }, OP_FIXED, .values = none } },
      .ints = { 23, 1 } },
    { .name = "no zeros of many",
      .in = { { 2, { 257, 131 }, OP_FIXED, 1, 2 } },
      .ints = { 1, 1 },
      .large = true },
    { .name = "several stretches", .in = { { 2, { 257, 131 }, OP_FIXED } }, .ints = { 1 }, .large = true },
    { .name = "integers", .in = { { 1, { 4 }, OP_INTEGER, 0, 9 } }, .ints = { 1 }, .fails = "floating" },
};

static void make(op_case *c, const int64_t *size)
{
    op_case_rows(c, size);
    c->ints[0] = 1;
}

static const op_timed timed[] = {
    { "sum_squares", "ROWSxCOLUMNS", "65536x256", make },
    { 0 },
};

const op_test sum_squares_tests[] = {
    { "sum_squares", build, reference, OP_CASES(cases), timed },
    { 0 },
};

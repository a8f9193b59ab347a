/* sum_squares.c -- the sum of squares of several tensors.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

/* ints[0] parts: the inputs, over and over, so that more than a node's share are chained. */
static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *parts[40];
    int given = c->in[1].rank ? c->in[2].rank ? 3 : 2 : 1;
    for (int i = 0; i < c->ints[0]; ++i) parts[i] = in[i % given];
    out[0] = op_sum_squares((int)c->ints[0], parts);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int given = c->in[1].rank ? c->in[2].rank ? 3 : 2 : 1;
    for (int i = 0; i < c->ints[0]; ++i)
        for (int64_t k = 0; k < in[i % given].count; ++k)
            out[0].v[0] += in[i % given].v[k] * in[i % given].v[k];
}

static const op_case cases[] = {
    { .name = "one", .in = { { 2, { 7, 5 }, OP_FIXED } }, .ints = { 1 } },
    { .name = "three",
      .in = { { 2, { 7, 5 }, OP_FIXED }, { 1, { 1 }, OP_FIXED }, { 3, { 3, 5, 11 }, OP_FIXED } },
      .ints = { 3 } },
    { .name = "chained",
      .in = { { 2, { 7, 5 }, OP_FIXED }, { 1, { 3 }, OP_FIXED }, { 1, { 16 }, OP_FIXED } },
      .ints = { 23 } },
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

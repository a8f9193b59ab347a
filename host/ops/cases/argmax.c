/* argmax.c -- the index of the largest, ties to the lowest.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g, (void)c;
    out[0] = op_argmax_last(in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t r = out[0].from * out[0].last; r < out[0].to * out[0].last; ++r) {
        const double *x = in[0].v + r * in[0].last;
        int64_t best = 0;
        for (int64_t i = 1; i < in[0].last; ++i)
            if (x[i] > x[best]) best = i;
        out[0].v[r] = (double)best;
    }
}

static const double ties[2 * 40] = { [17] = 1, [20] = 1, [33] = 1, [40 + 39] = 2, [40 + 38] = 2 };
static const double masked[5] = { -INFINITY, -INFINITY, -INFINITY, -3, -INFINITY };

#define X(...) \
    { \
        .role = OP_FIXED, __VA_ARGS__ \
    }
static const op_case cases[] = {
    { .name = "odd", .in = { X(.rank = 3, .dim = { 2, 3, 37 }) } },
    { .name = "negative", .in = { X(.rank = 2, .dim = { 4, 67 }, .low = -9, .high = -1) } },
    { .name = "ties", .in = { X(.rank = 2, .dim = { 2, 40 }, .values = ties) } },
    { .name = "masked", .in = { X(.rank = 1, .dim = { 5 }, .values = masked) } },
    { .name = "long", .in = { X(.rank = 2, .dim = { 3, 1031 }) }, .large = true },
    { .name = "one element", .in = { X(.rank = 1, .dim = { 1 }) } },
    { .name = "integers", .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } }, .fails = "argmax: I32" },
};

/* A result of one column, so that its rows can be asked for one by one. */
static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(3, (int64_t[]){ size[0], 1, size[1] });
}

static const op_timed timed[] = {
    { "argmax", "ROWSxCOLUMNS", "2048x8192", make },
    { 0 },
};

const op_test argmax_tests[] = {
    { "argmax", build, reference, OP_CASES(cases), timed },
    { 0 },
};

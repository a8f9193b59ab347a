/* cross_entropy.c -- the loss of each row's target, targets left out.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

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
    for (int64_t r = out[0].from * out[0].last; r < out[0].to * out[0].last; ++r) {
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

/* A result of one column, so that its rows can be asked for one by one. */
static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(3, (int64_t[]){ size[0], 1, size[1] });
    c->in[1] = op_case_in(2, (int64_t[]){ size[0], 1 });
    c->in[1].role = OP_INTEGER;
    c->in[1].low = 0;
    c->in[1].high = (double)(size[1] - 1);
}

static const op_timed timed[] = {
    { "cross_entropy", "ROWSxCOLUMNS", "2048x8192", make },
    { 0 },
};

const op_test cross_entropy_tests[] = {
    { "cross_entropy", build, reference, OP_CASES(cases), timed },
    { 0 },
};

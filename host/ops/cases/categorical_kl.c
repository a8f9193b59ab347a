/* categorical_kl.c -- the distance from the uniform distribution, of rows.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_categorical_kl(in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t count = in[0].last;
    for (int64_t r = out[0].from * out[0].last; r < out[0].to * out[0].last; ++r) {
        const double *x = in[0].v + r * count;
        double top = x[0], sum = 0.0;
        for (int64_t i = 0; i < count; ++i) top = fmax(top, x[i]);
        for (int64_t i = 0; i < count; ++i) sum += exp(x[i] - top);
        for (int64_t i = 0; i < count; ++i) {
            double p = exp(x[i] - top) / sum;
            if (p > 0.0) out[0].v[r] += p * (log(p) + log((double)count));
        }
    }
}

static const double steep[] = { 100, 0, 0, 0, -2000, 50, 3, 4, 0, 0, 0, 80, 80, 0, 0 };

static const op_case cases[] = {
    { .name = "odd", .in = { { 3, { 2, 3, 37 }, OP_VALUE, -4, 4 } } },
    { .name = "steep", .in = { { 2, { 3, 5 }, .values = steep } } },
    { .name = "wide", .in = { { 2, { 3, 1029 }, OP_VALUE, -8, 8 } }, .large = true, .tol = 5e-5 },
};

/* A result of one column, so that its rows can be asked for one by one. */
static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(3, (int64_t[]){ size[0], 1, size[1] });
}

static const op_timed timed[] = {
    { "categorical_kl", "ROWSxCOLUMNS", "2048x8192", make },
    { 0 },
};

const op_test categorical_kl_tests[] = {
    { "categorical_kl", build, reference, OP_CASES(cases), timed },
    { 0 },
};

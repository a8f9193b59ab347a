/* logit_laplace.c -- the density of pixels under mu and ln b.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_logit_laplace(in[0], in[1]);
}

/* -ln of 1 / (2 b x (1 - x)) exp(-|logit x - mu| / b), as the paper writes it. */
static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        int64_t pixel = i / 3, k = i % 3;
        double x = in[0].v[i], mu = in[1].v[pixel * 6 + k], b = exp(in[1].v[pixel * 6 + 3 + k]);
        double density = 1.0 / (2.0 * b * x * (1.0 - x)) * exp(-fabs(log(x / (1.0 - x)) - mu) / b);
        out[0].v[i] = -log(density);
    }
}

static const op_case cases[] = {
    /* logit x is within 2.2 of 0: mu outside that stays clear of the kink. */
    { .name = "mu above",
      .in = { { 4, { 2, 3, 5, 3 }, OP_FIXED, 0.1, 0.9 }, { 4, { 2, 3, 5, 6 }, OP_VALUE, 2.3, 4 } } },
    { .name = "mu below",
      .in = { { 2, { 7, 3 }, OP_FIXED, 0.1, 0.9 }, { 2, { 7, 6 }, OP_VALUE, -4, -2.3 } },
      .tol = 3e-5 },
    { .name = "between",
      .in = { { 2, { 50, 3 }, OP_FIXED, 0.1, 0.9 }, { 2, { 50, 6 } } },
      .no_gradient = true },
    { .name = "two channels",
      .in = { { 2, { 7, 2 }, OP_FIXED, 0.1, 0.9 }, { 2, { 7, 6 } } },
      .fails = "[..,3]" },
    { .name = "stats",
      .in = { { 2, { 7, 3 }, OP_FIXED, 0.1, 0.9 }, { 2, { 7, 3 } } },
      .fails = "stats must be [7,6]" },
};

static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(2, (int64_t[]){ size[0], 3 });
    c->in[0].low = 0.1;
    c->in[0].high = 0.9;
    c->in[1] = op_case_in(2, (int64_t[]){ size[0], 6 });
}

static const op_timed timed[] = {
    { "logit_laplace", "PIXELS", "262144", make },
    { 0 },
};

const op_test logit_laplace_tests[] = {
    { "logit_laplace", build, reference, OP_CASES(cases), timed },
    { 0 },
};

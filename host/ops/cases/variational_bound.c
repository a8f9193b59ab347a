/* variational_bound.c -- the bound's term of each value under a learned variance.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g, (void)c;
    out[0] = op_variational_bound(in[0], in[1], in[2], in[3], in[4]);
}

/* What a standard normal has between two places, each infinite or not. */
static double between(double low, double high)
{
    if (low > 0) return 0.5 * (erfc(low * M_SQRT1_2) - erfc(high * M_SQRT1_2));
    return 0.5 * (erfc(-high * M_SQRT1_2) - erfc(-low * M_SQRT1_2));
}

static double decoded(double x, double mean, double deviation)
{
    double low = x < -0.999 ? -INFINITY : (x - 1.0 / 255 - mean) / deviation;
    double high = x > 0.999 ? INFINITY : (x + 1.0 / 255 - mean) / deviation;
    return -log(fmax(between(low, high), 1e-12));
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t sample = in[0].count / in[0].dim[0];
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        const double *k = in[4].v + i / sample * 8, x0 = in[0].v[i], v = in[3].v[i];
        double mean = k[0] * in[2].v[i] + k[1] * in[1].v[i], true_mean = k[0] * x0 + k[1] * in[1].v[i];
        double log_variance = (1 + v) / 2 * k[3] + (1 - v) / 2 * k[2];
        double divergence = -0.5 + (log_variance - k[2]) / 2 +
                            (exp(k[2]) + (true_mean - mean) * (true_mean - mean)) / (2 * exp(log_variance));
        out[0].v[i] = k[4] > 0.5 ? decoded(x0, mean, exp(log_variance / 2)) : divergence;
    }
}

/* A cosine schedule's of 1000 steps at t = 0, 1, 300 and 999, and others' at t = 0, wide and narrow. */
static const double schedule[] = {
    1,     0,     -10.52, -10.1,  1, 0, 0, 0, /**/
    0.53,  0.47,  -10.52, -9.6,   0, 0, 0, 0, /**/
    0.006, 0.99,  -5.83,  -5.8,   0, 0, 0, 0, /**/
    1e-4,  0.031, -0.002, -0.001, 0, 0, 0, 0, /**/
};
static const double first[] = {
    1, 0, -10.52, -9.1, 1, 0, 0, 0, /**/
    1, 0, -4,     -2,   1, 0, 0, 0, /**/
};
static const double levels[] = { -1, 1, -1, 1, 0, 0.5, -1, 1, -1, 1, 0.25, -0.5 };
static const double guesses[] = { -1.01, 0.99, -0.98, 1.02, 0.004, 0.497, -1.3, 0.4, -0.2, 1.5, 0.25, 0.9 };
static const double unlikely[] = { -1, 1, 0.5, -0.5 };
static const double wrong[] = { 1, -1, -0.5, 0.5 };
static const double narrow[] = { 1, 0, -10.52, -9.1, 1, 0, 0, 0 };

#define COEFFICIENTS(b, given) \
    { \
        .rank = 2, .dim = { b, 8 }, .role = OP_CONTROL, .values = given \
    }
static const op_case cases[] = {
    { .name = "odd",
      .in = { { 4, { 4, 3, 5, 3 }, OP_FIXED, -0.9, 0.9 },
              { 4, { 4, 3, 5, 3 }, OP_FIXED },
              { 4, { 4, 3, 5, 3 }, OP_FIXED, -0.9, 0.9 },
              { 4, { 4, 3, 5, 3 }, OP_VALUE, -1, 1 },
              COEFFICIENTS(4, schedule) },
      .tol = 1e-4 },
    { .name = "levels and ends",
      .in = { { 2, { 2, 6 }, OP_FIXED, .values = levels },
              { 2, { 2, 6 }, OP_FIXED },
              { 2, { 2, 6 }, OP_FIXED, .values = guesses },
              { 2, { 2, 6 }, OP_VALUE, -1, 1 },
              COEFFICIENTS(2, first) },
      .tol = 1e-4,
      .f32_only = true },
    { .name = "too unlikely",
      .in = { { 2, { 1, 4 }, OP_FIXED, .values = unlikely },
              { 2, { 1, 4 }, OP_FIXED },
              { 2, { 1, 4 }, OP_FIXED, .values = wrong },
              { 2, { 1, 4 }, OP_VALUE, -1, 1 },
              COEFFICIENTS(1, narrow) },
      .f32_only = true },
    { .name = "v",
      .in = { { 2, { 2, 6 } }, { 2, { 2, 6 } }, { 2, { 2, 6 } }, { 2, { 2, 12 } }, COEFFICIENTS(2, first) },
      .fails = "v must be [2,6], not [2,12]" },
    { .name = "coefficients",
      .in = { { 2, { 2, 6 } }, { 2, { 2, 6 } }, { 2, { 2, 6 } }, { 2, { 2, 6 } }, COEFFICIENTS(1, narrow) },
      .fails = "coefficients must be [2,8], not [1,8]" },
};

static void make(op_case *c, const int64_t *size)
{
    for (int k = 0; k < 4; ++k) c->in[k] = op_case_in(2, size);
    for (int k = 0; k < 3; ++k) c->in[k].role = OP_FIXED;
    c->in[4] = (op_in){ .rank = 2, .dim = { size[0], 8 }, .role = OP_CONTROL, .low = 0.1, .high = 0.2 };
}

static const op_timed timed[] = {
    { "variational_bound", "BxVALUES", "32x3072", make },
    { 0 },
};

const op_test variational_bound_tests[] = {
    { "variational_bound", build, reference, OP_CASES(cases), timed },
    { 0 },
};

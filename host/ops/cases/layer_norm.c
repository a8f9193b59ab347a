/* layer_norm.c -- layer normalisation along the last axis.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g, (void)c;
    out[0] = op_layer_norm(in[0], in[1], in[2], 1e-5f);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t n = in[0].last;
    for (int64_t r = out[0].from; r < out[0].to; ++r) {
        const double *x = in[0].v + r * n;
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < n; ++i) mean += x[i] / (double)n;
        for (int64_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean) / (double)n;
        for (int64_t i = 0; i < n; ++i)
            out[0].v[r * n + i] = in[1].v[i] * (x[i] - mean) / sqrt(variance + 1e-5) + in[2].v[i];
    }
}

#define VECTOR(n) \
    { \
        .rank = 1, .dim = { n } \
    }
static const op_case cases[] = {
    { .name = "odd", .in = { { .rank = 3, .dim = { 2, 3, 37 } }, VECTOR(37), VECTOR(37) } },
    { .name = "float gain",
      .in = { { .rank = 2, .dim = { 5, 16 } },
              { .rank = 1, .dim = { 16 }, .role = OP_FLOAT },
              { .rank = 1, .dim = { 16 }, .role = OP_FLOAT } } },
    { .name = "in stretches",
      .in = { { .rank = 2, .dim = { 131, 83 } }, VECTOR(83), VECTOR(83) },
      .large = true },
    { .name = "far from zero",
      .in = { { .rank = 2, .dim = { 3, 64 }, .low = 99, .high = 101 }, VECTOR(64), VECTOR(64) },
      .tol = 1e-4,
      .f32_only = true },
    { .name = "shapes",
      .in = { { .rank = 2, .dim = { 5, 16 } }, VECTOR(15), VECTOR(16) },
      .fails = "gain F32 [15]" },
};

static void make(op_case *c, const int64_t *size)
{
    op_case_rows(c, size);
    c->in[1] = c->in[2] = op_case_in(1, &size[1]);
}

static const op_timed timed[] = {
    { "layer_norm", "ROWSxCOLUMNS", "2560x512", make },
    { 0 },
};

const op_test layer_norm_tests[] = {
    { "layer_norm", build, reference, OP_CASES(cases), timed },
    { 0 },
};

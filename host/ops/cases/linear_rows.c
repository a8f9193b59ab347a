/* linear_rows.c -- a decoding step's linear layer against a naive one, with all that can stand around it.
 * ints[0]: what there is; ints[1]: the activation; inputs are x, then those in the order of the bits, weights
 * first.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

#include <math.h>

enum { PARTS3 = 1, BIASED = 2, NORM = 4, RESIDUAL = 8 };
#define EPSILON 1e-5

static int parts_of(const op_case *c)
{
    return c->ints[0] & PARTS3 ? 3 : 1;
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    int at = 1;
    linear_rows_terms t = { .epsilon = (float)EPSILON, .activation = (activation)c->ints[1] };
    for (int p = 0; p < parts_of(c); ++p) t.weight[p] = in[at++];
    for (int p = 0; p < parts_of(c) && c->ints[0] & BIASED; ++p) t.bias[p] = in[at++];
    if (c->ints[0] & NORM) {
        t.gain = in[at++];
        t.shift = in[at++];
    }
    if (c->ints[0] & RESIDUAL) t.residual = in[at];
    out[0] = op_linear_rows(in[0], &t);
}

static void normalise(const double *x, int64_t k, const double *gain, const double *shift, double *out)
{
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < k; ++i) mean += x[i] / (double)k;
    for (int64_t i = 0; i < k; ++i) variance += (x[i] - mean) * (x[i] - mean) / (double)k;
    for (int64_t i = 0; i < k; ++i) out[i] = (x[i] - mean) / sqrt(variance + EPSILON) * gain[i] + shift[i];
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const int64_t n = in[1].dim[0], k = in[1].dim[1], rows = in[0].rows, flags = c->ints[0];
    const int parts = parts_of(c), after = 1 + parts + (flags & BIASED ? parts : 0);
    const op_array *residual = &in[after + (flags & NORM ? 2 : 0)];
    double seen[128];
    for (int64_t at = out[0].from; at < out[0].to; ++at) {
        const int64_t p = at / rows, r = at % rows;
        const double *x = in[0].v + r * k;
        if (flags & NORM) {
            normalise(x, k, in[after].v, in[after + 1].v, seen);
            x = seen;
        }
        for (int64_t j = 0; j < n; ++j) {
            double z = flags & BIASED ? in[1 + parts + p].v[j] : 0;
            for (int64_t i = 0; i < k; ++i) z += x[i] * in[1 + p].v[j * k + i];
            z = activation_value((activation)c->ints[1], z);
            if (flags & RESIDUAL) z += residual->v[r * n + j];
            out[0].v[at * n + j] = z;
        }
    }
}

#define IN(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ }, .role = OP_FIXED \
    }
static const op_case cases[] = {
    { .name = "one row", .in = { IN(2, 1, 16), IN(2, 8, 16) }, .ints = { 0 } },
    { .name = "odd sizes", .in = { IN(3, 5, 1, 37), IN(2, 19, 37), IN(1, 19) }, .ints = { BIASED } },
    { .name = "norm",
      .in = { IN(3, 2, 1, 37), IN(2, 7, 37), IN(1, 7), IN(1, 37), IN(1, 37) },
      .ints = { BIASED | NORM },
      .tol = 2e-5,
      .tol16 = 2 },
    { .name = "norm, GELU, residual",
      .in = { IN(3, 3, 1, 33), IN(2, 6, 33), IN(1, 33), IN(1, 33), IN(3, 3, 1, 6) },
      .ints = { NORM | RESIDUAL, ACTIVATION_GELU },
      .tol = 2e-5,
      .tol16 = 2 },
    { .name = "ReLU", .in = { IN(3, 3, 1, 33), IN(2, 6, 33) }, .ints = { 0, ACTIVATION_RELU } },
    { .name = "QuickGELU", .in = { IN(3, 3, 1, 33), IN(2, 6, 33) }, .ints = { 0, ACTIVATION_QUICK_GELU } },
    { .name = "residual",
      .in = { IN(3, 1, 1, 24), IN(2, 24, 24), IN(1, 24), IN(3, 1, 1, 24) },
      .ints = { BIASED | RESIDUAL } },
    { .name = "queries, keys, values",
      .in = { IN(3, 4, 1, 20), IN(2, 9, 20), IN(2, 9, 20), IN(2, 9, 20), IN(1, 9), IN(1, 9), IN(1, 9),
              IN(1, 20), IN(1, 20) },
      .in_count = 9,
      .ints = { PARTS3 | BIASED | NORM },
      .tol = 2e-5,
      .tol16 = 2 },
    { .name = "three weights alone",
      .in = { IN(2, 1, 12), IN(2, 5, 12), IN(2, 5, 12), IN(2, 5, 12) },
      .ints = { PARTS3 } },
    { .name = "weight",
      .in = { IN(2, 1, 13), IN(2, 13, 7) },
      .fails = "input [1,13] does not fit weight [13,7]" },
    { .name = "second weight",
      .in = { IN(2, 1, 13), IN(2, 7, 13), IN(2, 8, 13), IN(2, 7, 13) },
      .ints = { PARTS3 },
      .fails = "weight" },
    { .name = "gain",
      .in = { IN(2, 1, 13), IN(2, 7, 13), IN(1, 12), IN(1, 13) },
      .ints = { NORM },
      .fails = "gain F32 [12]" },
    { .name = "residual's shape",
      .in = { IN(2, 1, 13), IN(2, 7, 13), IN(2, 1, 13) },
      .ints = { RESIDUAL },
      .fails = "residual [1,13]" },
};

/* Floats against weights of the type under test. */
static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(2, (int64_t[]){ size[0], size[2] });
    c->in[0].role = OP_CONTROL;
    c->in[1] = op_case_in(2, (int64_t[]){ size[1], size[2] });
    c->in[1].role = OP_FIXED;
}

/* The weights, beside which all else is small. */
static double bytes(const op_case *c, dtype type)
{
    return (double)dtype_bytes(type) * (double)(c->in[1].dim[0] * c->in[1].dim[1]);
}

static const op_timed timed[] = {
    { "linear_rows", "MxNxK", NULL, make, .bytes = bytes },
    { 0 },
};

const op_test linear_rows_tests[] = {
    { "linear_rows", build, reference, OP_CASES(cases), timed },
    { 0 },
};

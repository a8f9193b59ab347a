/* group_norm.c -- group normalisation of [B,..,C], with or without a scale and shift for each sample.
 * ints[0]: groups; ints[1]: activation; ints[2]: with scale and shift, which are the last inputs.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include <math.h>

#define EPSILON 1e-5

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    const bool scaled = c->ints[2] != 0;
    out[0] = op_group_norm(in[0], c->ints[0], in[1], in[2], scaled ? in[3] : NULL, scaled ? in[4] : NULL,
                           (float)EPSILON, (activation)c->ints[1]);
}

/* {mean, 1 / sqrt(variance + epsilon)} of the group that begins at x: `width` of a row's `channels`. */
static void statistics(const double *x, int64_t rows, int64_t channels, int64_t width, double of[2])
{
    double sum = 0, squares = 0, n = (double)(rows * width);
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < width; ++c) sum += x[r * channels + c];
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < width; ++c)
            squares += (x[r * channels + c] - sum / n) * (x[r * channels + c] - sum / n);
    of[0] = sum / n;
    of[1] = 1 / sqrt(squares / n + EPSILON);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t channels = in[0].last, samples = in[0].dim[0], rows = in[0].rows / samples,
            width = channels / c->ints[0];
    double of[2] = { 0 };
    for (int64_t b = out[0].from / rows; b < samples && b * rows < out[0].to; ++b)
        for (int64_t k = 0; k < channels; ++k) {
            if (k % width == 0) statistics(in[0].v + b * rows * channels + k, rows, channels, width, of);
            for (int64_t r = b * rows; r < (b + 1) * rows; ++r) {
                if (r < out[0].from || r >= out[0].to) continue;
                double v = in[1].v[k] * (in[0].v[r * channels + k] - of[0]) * of[1] + in[2].v[k];
                if (c->ints[2]) v = v * (1 + in[3].v[b * channels + k]) + in[4].v[b * channels + k];
                out[0].v[r * channels + k] = activation_value((activation)c->ints[1], v);
            }
        }
}

/* x + f(group_norm(x)) as in a residual block: the gradient that passes by is taken in. */
static void build_block(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    build(g, c, in, out);
    out[0] = op_add(in[0], out[0]);
}

static void reference_block(const op_case *c, const op_array *in, op_array *out)
{
    reference(c, in, out);
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) out[0].v[i] += in[0].v[i];
}

#define X(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ } \
    }
#define SILU ACTIVATION_SILU
static const op_case cases[] = {
    { .name = "odd",
      .in = { X(4, 3, 5, 3, 15), X(1, 15), X(1, 15), X(2, 3, 15), X(2, 3, 15) },
      .ints = { 5, SILU, 1 } },
    { .name = "whole vectors",
      .in = { X(4, 2, 3, 4, 32), X(1, 32), X(1, 32), X(2, 2, 32), X(2, 2, 32) },
      .ints = { 16, SILU, 1 } },
    { .name = "plain", .in = { X(3, 3, 7, 16), X(1, 16), X(1, 16) }, .ints = { 4 }, .f32_only = true },
    { .name = "one group of a vector",
      .in = { X(2, 5, 37), X(1, 37), X(1, 37) },
      .ints = { 1, SILU },
      .f32_only = true,
      .large = true },
    { .name = "a group each",
      .in = { X(3, 1, 9, 6), X(1, 6), X(1, 6) },
      .ints = { 6, SILU },
      .f32_only = true,
      .large = true },
    { .name = "float vectors",
      .in = { X(3, 2, 5, 24),
              { .rank = 1, .dim = { 24 }, .role = OP_FLOAT },
              { .rank = 1, .dim = { 24 }, .role = OP_FLOAT },
              { .rank = 2, .dim = { 2, 24 }, .role = OP_FLOAT },
              { .rank = 2, .dim = { 2, 24 }, .role = OP_FLOAT } },
      .ints = { 8, SILU, 1 },
      .large = true },
    { .name = "in stretches",
      .in = { X(3, 2, 140, 64), X(1, 64), X(1, 64), X(2, 2, 64), X(2, 2, 64) },
      .ints = { 32, SILU, 1 },
      .tol = 2e-5,
      .f32_only = true,
      .large = true },
    { .name = "one sample in stretches",
      .in = { X(3, 1, 277, 120), X(1, 120), X(1, 120) },
      .ints = { 4, SILU },
      .tol = 2e-5,
      .f32_only = true,
      .large = true },
    { .name = "far from zero",
      .in = { { .rank = 3, .dim = { 2, 9, 8 }, .low = 99, .high = 101 }, X(1, 8), X(1, 8) },
      .ints = { 2 },
      .tol = 1e-4,
      .f32_only = true },
    { .name = "groups",
      .in = { X(3, 2, 3, 6), X(1, 6), X(1, 6) },
      .ints = { 4 },
      .fails = "6 channels do not fall into 4 groups" },
    { .name = "no groups", .in = { X(3, 2, 3, 6), X(1, 6), X(1, 6) }, .fails = "into 0 groups" },
    { .name = "gain",
      .in = { X(3, 2, 3, 6), X(1, 5), X(1, 6) },
      .ints = { 3 },
      .fails = "gain must be [6], not [5]" },
    { .name = "scale",
      .in = { X(3, 2, 3, 6), X(1, 6), X(1, 6), X(2, 3, 6), X(2, 2, 6) },
      .ints = { 3, 0, 1 },
      .fails = "scale must be [2,6], not [3,6]" },
    { .name = "axes",
      .in = { X(1, 6), X(1, 6), X(1, 6) },
      .ints = { 3 },
      .fails = "x must be [B,..,C], not [6]" },
};

static const op_case blocks[] = {
    { .name = "block",
      .in = { X(3, 2, 7, 16), X(1, 16), X(1, 16), X(2, 2, 16), X(2, 2, 16) },
      .ints = { 8, SILU, 1 } },
    { .name = "odd block",
      .in = { X(3, 3, 5, 15), X(1, 15), X(1, 15) },
      .ints = { 3, SILU },
      .f32_only = true },
};

static void make(op_case *c, const int64_t *size)
{
    op_case_picture(c, size);
    c->in[1] = c->in[2] = op_case_in(1, &size[3]);
    c->in[3] = c->in[4] = op_case_in(2, (int64_t[]){ size[0], size[3] });
    c->ints[0] = size[4];
    c->ints[1] = SILU;
    c->ints[2] = 1;
}

static const op_timed timed[] = {
    { "group_norm", "BxYxXxCHANNELSxGROUPS", "16x32x32x128x32", make },
    { 0 },
};

const op_test group_norm_tests[] = {
    { "group_norm", build, reference, OP_CASES(cases), timed },
    { "group_norm block", build_block, reference_block, OP_CASES(blocks) },
    { 0 },
};

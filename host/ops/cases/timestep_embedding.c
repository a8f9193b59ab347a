/* timestep_embedding.c -- waves of a time.  ints[0]: channels; reals[0]: the period.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_timestep_embedding(in[0], c->ints[0], (float)c->reals[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const int64_t half = c->ints[0] / 2;
    for (int64_t b = out[0].from; b < out[0].to; ++b)
        for (int64_t i = 0; i < half; ++i) {
            double angle = in[0].v[b] * pow(c->reals[0], -(double)i / (double)half);
            out[0].v[b * 2 * half + i] = cos(angle);
            out[0].v[b * 2 * half + half + i] = sin(angle);
        }
}

static const double ends[] = { 0, 1, 999 };

/* An angle of 1000 is known to 6e-5 in a float. */
static const op_case cases[] = {
    { .name = "odd",
      .in = { { 1, { 5 }, OP_CONTROL, 0, 1000 } },
      .ints = { 74 },
      .reals = { 10000 },
      .tol = 2e-4,
      .f32_only = true },
    { .name = "ends",
      .in = { { 1, { 3 }, OP_CONTROL, .values = ends } },
      .ints = { 2 },
      .reals = { 10000 },
      .tol = 2e-4,
      .f32_only = true },
    { .name = "short times",
      .in = { { 1, { 4 }, OP_CONTROL, 0, 10 } },
      .ints = { 64 },
      .reals = { 100 },
      .f32_only = true,
      .large = true },
    { .name = "channels",
      .in = { { 1, { 5 }, OP_CONTROL } },
      .ints = { 7 },
      .reals = { 10000 },
      .fails = "7 channels; an even number is needed" },
    { .name = "period",
      .in = { { 1, { 5 }, OP_CONTROL } },
      .ints = { 8 },
      .fails = "period 0 is not above 1" },
    { .name = "axes",
      .in = { { 2, { 5, 2 }, OP_CONTROL } },
      .ints = { 8 },
      .reals = { 10000 },
      .fails = "t must be [B], not [5,2]" },
    { .name = "type",
      .in = { { 1, { 5 }, OP_INTEGER, 0, 9 } },
      .ints = { 8 },
      .reals = { 10000 },
      .fails = "t must be F32" },
};

static void make(op_case *c, const int64_t *size)
{
    c->in[0] = (op_in){ .rank = 1, .dim = { size[0] }, .role = OP_CONTROL, .low = 0, .high = 1000 };
    c->ints[0] = size[1];
    c->reals[0] = 10000;
}

static const op_timed timed[] = {
    { "timestep_embedding", "BxCHANNELS", "64x512", make },
    { 0 },
};

const op_test timestep_embedding_tests[] = {
    { "timestep_embedding", build, reference, OP_CASES(cases), timed },
    { 0 },
};

/* max_pool2.c -- the largest of every 2x2 pixels, and where the gradient of ties goes.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_max_pool2(in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t height = in[0].dim[1], width = in[0].dim[2], channels = in[0].dim[3];
    for (int64_t i = out[0].from * channels; i < out[0].to * channels; ++i) {
        int64_t k = i % channels, x = i / channels % (width / 2), rows = i / channels / (width / 2);
        int64_t b = rows / (height / 2), y = rows % (height / 2);
        out[0].v[i] = -1e30;
        for (int64_t tap = 0; tap < 4; ++tap) {
            int64_t at = ((b * height + 2 * y + tap / 2) * width + 2 * x + tap % 2) * channels + k;
            if (in[0].v[at] > out[0].v[i]) out[0].v[i] = in[0].v[at];
        }
    }
}

/* All different and far apart next to the step of the differences, in every storage type. */
static const double spread[] = { 5,  -3, 2,  7,  0,  1,  -1,  4,  9,  -8,  6,  3,   -2,  8,  -4,  -5,
                                 15, 13, 12, 17, 10, 11, -11, 14, 19, -18, 16, -13, -12, 18, -14, -15 };

static const op_case cases[] = {
    { .name = "four channels", .in = { { 4, { 1, 2, 4, 4 }, .values = spread } } },
    { .name = "one channel", .in = { { 4, { 2, 4, 4, 1 }, .values = spread } } },
    { .name = "odd width", .in = { { 4, { 1, 2, 1, 16 }, .values = spread } }, .fails = "even" },
    { .name = "odd channels", .in = { { 4, { 3, 6, 10, 7 } } }, .no_gradient = true },
    { .name = "many channels", .in = { { 4, { 2, 4, 2, 48 } } }, .no_gradient = true },
    { .name = "no channels", .in = { { 3, { 2, 4, 2 } } }, .fails = "[B,Y,X,C]" },
};

/* Ties: the gradient goes to the first of the four in raster order. */
static void build_ties(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)c;
    graph_set_trainable(g, true);
    tensor *loss = op_sum_all(op_mul(op_max_pool2(in[0]), in[1]));
    graph_backward(g, loss);
    out[0] = graph_gradient(g, in[0]);
}

static void reference_ties(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t height = in[0].dim[1], width = in[0].dim[2], channels = in[0].dim[3];
    for (int64_t i = 0; i < in[1].count; ++i) {
        int64_t k = i % channels, x = i / channels % (width / 2),
                y = i / channels / (width / 2) % (height / 2);
        int64_t b = i / channels / (width / 2) / (height / 2), best = -1;
        for (int64_t tap = 0; tap < 4; ++tap) {
            int64_t at = ((b * height + 2 * y + tap / 2) * width + 2 * x + tap % 2) * channels + k;
            if (best < 0 || in[0].v[at] > in[0].v[best]) best = at;
        }
        out[0].v[best] += in[1].v[i];
    }
}

static const double tied[] = { 1, 1, 0, 2, 1, 0, 2, 2, 3, 0, 0, 0, 3, 3, 0, 1 };

static const op_case tie_cases[] = {
    { .name = "ties",
      .in = { { 4, { 1, 4, 4, 1 }, .values = tied }, { 4, { 1, 2, 2, 1 }, OP_FIXED } },
      .no_gradient = true },
    { .name = "ties over channels",
      .in = { { 4, { 1, 2, 2, 4 }, .values = tied }, { 4, { 1, 1, 1, 4 }, OP_FIXED } },
      .no_gradient = true },
};

static const op_timed timed[] = {
    { "max_pool2", "BxYxXxC", "16x64x64x64", op_case_picture },
    { 0 },
};

const op_test max_pool2_tests[] = {
    { "max_pool2", build, reference, OP_CASES(cases), timed },
    { "max_pool2 ties", build_ties, reference_ties, OP_CASES(tie_cases) },
    { 0 },
};

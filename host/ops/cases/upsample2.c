/* upsample2.c -- every pixel four times.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_upsample2(in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t height = in[0].dim[1], width = in[0].dim[2], channels = in[0].dim[3];
    op_case_shape(&out[0], 4, in[0].dim[0], 2 * height, 2 * width, channels);
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        int64_t k = i % channels, x = i / channels % (2 * width),
                y = i / channels / (2 * width) % (2 * height);
        int64_t b = i / channels / (2 * width) / (2 * height);
        out[0].v[i] = in[0].v[((b * height + y / 2) * width + x / 2) * channels + k];
    }
}

static const op_case cases[] = {
    { .name = "one", .in = { { 4, { 1, 1, 1, 1 } } } },
    { .name = "odd", .in = { { 4, { 2, 3, 5, 7 } } } },
    { .name = "sixteen channels", .in = { { 4, { 2, 2, 3, 16 } } } },
    { .name = "no channels", .in = { { 3, { 2, 4, 2 } } }, .fails = "[B,Y,X,C]" },
};

static const op_timed timed[] = {
    { "upsample2", "BxYxXxC", "16x32x32x64", op_case_picture },
    { 0 },
};

const op_test upsample2_tests[] = {
    { "upsample2", build, reference, OP_CASES(cases), timed },
    { 0 },
};

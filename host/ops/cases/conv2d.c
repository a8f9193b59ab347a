/* conv2d.c -- convolution of images, stride 1, same size, and what ends it.
 * ints[0]: with bias; ints[1]: which; reals[0]: gain.  The residual is the last input.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include <stdlib.h>

enum { PLAIN, RELU, ADD };

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *bias = c->ints[0] ? in[2] : NULL, *residual = in[c->ints[0] ? 3 : 2];
    out[0] = c->ints[1] == RELU  ? op_conv2d_relu(in[0], in[1], bias)
             : c->ints[1] == ADD ? op_conv2d_add(in[0], in[1], bias, (float)c->reals[0], residual)
                                 : op_conv2d(in[0], in[1], bias);
}

static double pixel(const op_array *x, int64_t b, int64_t y, int64_t column, int64_t channel)
{
    if (y < 0 || column < 0 || y >= x->dim[1] || column >= x->dim[2]) return 0;
    return x->v[((b * x->dim[1] + y) * x->dim[2] + column) * x->dim[3] + channel];
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const op_array *w = &in[1];
    int64_t outs = w->dim[0], k = w->dim[1], ins = w->dim[3], H = in[0].dim[1], W = in[0].dim[2];
    for (int64_t i = out[0].from * outs; i < out[0].to * outs; ++i) {
        int64_t o = i % outs, x = i / outs % W, y = i / outs / W % H, b = i / outs / W / H;
        double sum = c->ints[0] ? in[2].v[o] : 0;
        for (int64_t ky = 0; ky < k; ++ky)
            for (int64_t kx = 0; kx < k; ++kx)
                for (int64_t n = 0; n < ins; ++n)
                    sum += w->v[((o * k + ky) * k + kx) * ins + n] *
                           pixel(&in[0], b, y + ky - k / 2, x + kx - k / 2, n);
        if (c->ints[1] == RELU) sum = sum > 0 ? sum : 0;
        if (c->ints[1] == ADD) sum = c->reals[0] * sum + in[c->ints[0] ? 3 : 2].v[i];
        out[0].v[i] = sum;
    }
}

/* A block as in the dVAE: x + gain conv(relu(conv(relu(x)))).  Its backward products take in the slopes of both ReLUs
 * and the gradient that passes by. */
static void build_block(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *h = op_conv2d_relu(op_relu(in[0]), in[1], in[2]);
    out[0] = op_conv2d_add(h, in[3], in[4], (float)c->reals[0], in[0]);
}

static void reference_block(const op_case *c, const op_array *in, op_array *out)
{
    op_array part[4] = { in[0], in[1], in[2] }, hidden = in[0], result = { 0 };
    double *positive = calloc((size_t)in[0].count, sizeof *positive);
    hidden.dim[3] = in[1].dim[0];
    hidden.count = in[0].rows * hidden.dim[3];
    hidden.v = calloc((size_t)hidden.count, sizeof *hidden.v);
    for (int64_t i = 0; i < in[0].count; ++i) positive[i] = in[0].v[i] > 0 ? in[0].v[i] : 0;
    part[0].v = positive;
    op_case first = { .ints = { 1, RELU } }, second = { .ints = { 1, ADD }, .reals = { c->reals[0] } };
    result = hidden;
    reference(&first, part, &result);
    part[0] = hidden;
    part[1] = in[3];
    part[2] = in[4];
    part[3] = in[0];
    reference(&second, part, out);
    free(positive);
    free(hidden.v);
}

#define X(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ } \
    }
static const op_case cases[] = {
    { .name = "3x3", .in = { X(4, 2, 5, 4, 3), X(4, 6, 3, 3, 3), X(1, 6) }, .ints = { 1 } },
    { .name = "1x1", .in = { X(4, 2, 3, 4, 5), X(4, 7, 1, 1, 5), X(1, 7) }, .ints = { 1 } },
    { .name = "7x7 larger than the image", .in = { X(4, 1, 4, 5, 2), X(4, 3, 7, 7, 2) } },
    { .name = "one channel", .in = { X(4, 1, 3, 3, 1), X(4, 1, 3, 3, 1) } },
    { .name = "wider",
      .in = { X(4, 1, 6, 7, 16), X(4, 17, 3, 3, 16), X(1, 17) },
      .ints = { 1 },
      .large = true },
    { .name = "relu",
      .in = { X(4, 2, 5, 4, 3), X(4, 6, 3, 3, 3), X(1, 6) },
      .ints = { 1, RELU },
      .tol16 = 2 },
    { .name = "gain and residual",
      .in = { X(4, 2, 5, 4, 3), X(4, 6, 3, 3, 3), X(1, 6), X(4, 2, 5, 4, 6) },
      .ints = { 1, ADD },
      .reals = { 0.25 } },
    { .name = "1x1, gain and residual",
      .in = { X(4, 2, 3, 4, 5), X(4, 7, 1, 1, 5), X(4, 2, 3, 4, 7) },
      .ints = { 0, ADD },
      .reals = { -1.5 } },
    { .name = "wider, gain and residual",
      .in = { X(4, 1, 6, 7, 16), X(4, 32, 3, 3, 16), X(1, 32), X(4, 1, 6, 7, 32) },
      .ints = { 1, ADD },
      .reals = { 0.5 },
      .large = true },
    { .name = "another residual",
      .in = { X(4, 1, 3, 3, 1), X(4, 1, 3, 3, 1), X(4, 1, 3, 1, 3) },
      .ints = { 0, ADD },
      .fails = "residual F32 [1,3,1,3] does not fit result F32 [1,3,3,1]" },
    { .name = "one element", .in = { X(4, 1, 1, 1, 1), X(4, 1, 1, 1, 1) } },
    { .name = "channels", .in = { X(4, 1, 4, 4, 3), X(4, 2, 3, 3, 4) }, .fails = "has 3 channels" },
    { .name = "even kernel", .in = { X(4, 1, 4, 4, 3), X(4, 2, 2, 2, 3) }, .fails = "odd size" },
    { .name = "axes", .in = { X(3, 4, 4, 3), X(4, 2, 3, 3, 3) }, .fails = "are needed" },
};

static const op_case blocks[] = {
    { .name = "block",
      .in = { X(4, 2, 5, 4, 6), X(4, 3, 3, 3, 6), X(1, 3), X(4, 6, 1, 1, 3), X(1, 6) },
      .reals = { 0.5 },
      .kinks = { 0 },
      .kink_count = 1,
      .tol16 = 2 },
    { .name = "wider block",
      .in = { X(4, 1, 6, 9, 16), X(4, 16, 3, 3, 16), X(1, 16), X(4, 16, 3, 3, 16), X(1, 16) },
      .reals = { 0.5 },
      .kinks = { 0 },
      .kink_count = 1,
      .tol16 = 2,
      .large = true },
};

static void make(op_case *c, const int64_t *size)
{
    op_case_picture(c, size);
    c->in[1] = op_case_in(4, (int64_t[]){ size[4], size[5], size[5], size[3] });
    c->in[2] = op_case_in(1, &size[4]);
    c->ints[0] = 1;
}

static const op_timed timed[] = {
    { "conv2d", "BxYxXxCHANNELSxFILTERSxKERNEL", "16x32x32x64x64x3", make },
    { 0 },
};

const op_test conv2d_tests[] = {
    { "conv2d", build, reference, OP_CASES(cases), timed },
    { "conv2d block", build_block, reference_block, OP_CASES(blocks) },
    { 0 },
};

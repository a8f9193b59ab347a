/* conv2d.c -- convolution of images, stride 1, same size, or any window, and what ends it.
 * ints[0]: with bias; ints[1]: an activation, or ADD; reals[0]: gain; ints[2]: 1 + the window's number, 0:
 * the same size; ints[3]: the result's type, see below. The residual is the last input.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include <stdlib.h>

enum { PLAIN = ACTIVATION_IDENTITY, RELU = ACTIVATION_RELU, ADD = ACTIVATION_COUNT };

enum { AS_X, AS_FLOAT, AS_WEIGHT };

static const window windows[] = {
    { { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },     /* 0 */
    { { 4, 4 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },     /* 1 */
    { { 1, 7 }, { 1, 1 }, { 0, 3 }, { 0, 3 } },     /* 2 */
    { { 7, 1 }, { 1, 1 }, { 3, 0 }, { 3, 0 } },     /* 3 */
    { { 4, 4 }, { 1, 1 }, { 1, 2 }, { 2, 1 } },     /* 4 */
    { { 14, 14 }, { 14, 14 }, { 0, 0 }, { 0, 0 } }, /* 5 */
    { { 2, 3 }, { 3, 1 }, { 0, 1 }, { 1, 0 } },     /* 6 */
    { { 1, 1 }, { 2, 2 }, { 0, 0 }, { 0, 0 } },     /* 7 */
    { { 2, 2 }, { 2, 2 }, { 1, 0 }, { 1, 0 } },     /* 8 */
    { { 3, 3 }, { 1, 1 }, { 0, 0 }, { 0, 0 } },     /* 9 */
    { { 1, 1 }, { 1, 1 }, { 2, 1 }, { 0, 1 } },     /* 10: more padding than taps */
    { { 3, 3 }, { 1, 1 }, { -1, 0 }, { 0, -1 } },   /* 11: of the picture left out */
    { { 3, 3 }, { 2, 2 }, { -1, 1 }, { 0, -1 } },   /* 12 */
    { { 3, 3 }, { 0, 1 }, { 0, 0 }, { 0, 0 } },     /* 13 */
    { { 9, 3 }, { 1, 1 }, { 2, 0 }, { 2, 0 } },     /* 14 */
    { { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },     /* 15: the same size */
    { { 0, 0 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },     /* 16 */
    { { 2, 3 }, { 2, 3 }, { 0, 0 }, { 0, 0 } },     /* 17 */
};

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *bias = c->ints[0] ? in[2] : NULL, *residual = in[c->ints[0] ? 3 : 2];
    if (c->ints[3] != AS_X) {
        dtype type = c->ints[3] == AS_FLOAT ? DTYPE_F32 : in[1]->type;
        out[0] = op_conv2d_to(in[0], in[1], bias, type);
        CHECK(out[0]->poison || out[0]->type == type, "conv2d as %s", dtype_name(type));
        return;
    }
    const window *w = &windows[c->ints[2] - (c->ints[2] > 0)];
    out[0] = c->ints[2]           ? op_conv2d_window(in[0], in[1], bias, w, (activation)c->ints[1])
             : c->ints[1] == RELU ? op_conv2d_relu(in[0], in[1], bias)
             : c->ints[1] == ADD  ? op_conv2d_add(in[0], in[1], bias, (float)c->reals[0], residual)
                                  : op_conv2d(in[0], in[1], bias);
}

static double pixel(const op_array *x, int64_t b, int64_t y, int64_t column, int64_t channel)
{
    if (y < 0 || column < 0 || y >= x->dim[1] || column >= x->dim[2]) return 0;
    return x->v[((b * x->dim[1] + y) * x->dim[2] + column) * x->dim[3] + channel];
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const op_array *f = &in[1];
    const window w = c->ints[2] ? windows[c->ints[2] - 1] : window_same(f->dim[1], f->dim[2]);
    int64_t outs = f->dim[0], ky = f->dim[1], kx = f->dim[2], ins = f->dim[3];
    int64_t down = window_places(&w, 0, in[0].dim[1]), across = window_places(&w, 1, in[0].dim[2]);
    for (int64_t i = out[0].from * outs; i < out[0].to * outs; ++i) {
        int64_t o = i % outs, x = i / outs % across, y = i / outs / across % down,
                b = i / outs / across / down;
        double sum = c->ints[0] ? in[2].v[o] : 0;
        for (int64_t tap = 0; tap < ky * kx; ++tap)
            for (int64_t n = 0; n < ins; ++n)
                sum += f->v[(o * ky * kx + tap) * ins + n] *
                       pixel(&in[0], b, y * w.stride[0] - w.before[0] + tap / kx,
                             x * w.stride[1] - w.before[1] + tap % kx, n);
        if (c->ints[1] != ADD) sum = activation_value((activation)c->ints[1], sum);
        if (c->ints[1] == ADD) sum = c->reals[0] * sum + in[c->ints[0] ? 3 : 2].v[i];
        out[0].v[i] = sum;
    }
}

/* A block as in the dVAE: x + gain conv(relu(conv(relu(x)))).  Its backward products take in the slopes of
 * both ReLUs and the gradient that passes by. */
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
    { .name = "float result",
      .in = { X(4, 2, 5, 4, 3), X(4, 6, 3, 3, 3), { .rank = 1, .dim = { 6 }, .role = OP_FLOAT } },
      .ints = { 1, 0, 0, AS_FLOAT } },
    { .name = "float input",
      .in = { { .rank = 4, .dim = { 2, 5, 4, 3 }, .role = OP_FLOAT }, X(4, 6, 3, 3, 3), X(1, 6) },
      .ints = { 1, 0, 0, AS_WEIGHT } },
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
    { .name = "1x3", .in = { X(4, 1, 4, 5, 3), X(4, 2, 1, 3, 3) } },
    { .name = "even kernel", .in = { X(4, 1, 4, 4, 3), X(4, 2, 2, 2, 3) }, .fails = "odd size" },
    { .name = "axes", .in = { X(3, 4, 4, 3), X(4, 2, 3, 3, 3) }, .fails = "are needed" },
};

#define WINDOW(number, f, biased) .ints = { biased, f, 1 + (number) }
static const op_case shapes[] = {
    { .name = "3x3, stride 2", .in = { X(4, 2, 5, 7, 3), X(4, 6, 3, 3, 3), X(1, 6) }, WINDOW(0, PLAIN, 1) },
    { .name = "3x3, stride 2, even picture",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 6, 8, 3), X(4, 2, 3, 3, 3) },
      WINDOW(0, RELU, 0),
      .tol16 = 2 },
    { .name = "4x4, stride 2",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 6, 8, 4), X(4, 5, 4, 4, 4), X(1, 5) },
      WINDOW(1, PLAIN, 1) },
    { .name = "1x7",
      .f32_only = true,
      .in = { X(4, 2, 3, 8, 3), X(4, 4, 1, 7, 3), X(1, 4) },
      WINDOW(2, RELU, 1),
      .tol16 = 2 },
    { .name = "7x1",
      .large = true,
      .f32_only = true,
      .in = { X(4, 2, 8, 3, 3), X(4, 4, 7, 1, 3) },
      WINDOW(3, PLAIN, 0) },
    { .name = "4x4, uneven padding",
      .f32_only = true,
      .in = { X(4, 1, 5, 4, 2), X(4, 3, 4, 4, 2), X(1, 3) },
      WINDOW(4, PLAIN, 1) },
    { .name = "patches",
      .f32_only = true,
      .in = { X(4, 1, 28, 42, 1), X(4, 3, 14, 14, 1), X(1, 3) },
      WINDOW(5, PLAIN, 1),
      .tol16 = 2,
      .large = true },
    { .name = "patches of a larger picture",
      .f32_only = true,
      .in = { X(4, 2, 5, 7, 3), X(4, 4, 2, 3, 3), X(1, 4) },
      WINDOW(17, ACTIVATION_GELU, 1),
      .tol16 = 2 },
    { .name = "strides 3 and 1",
      .large = true,
      .f32_only = true,
      .in = { X(4, 2, 7, 5, 2), X(4, 3, 2, 3, 2) },
      WINDOW(6, PLAIN, 0) },
    { .name = "1x1, stride 2",
      .large = true,
      .f32_only = true,
      .in = { X(4, 2, 5, 6, 3), X(4, 4, 1, 1, 3), X(1, 4) },
      WINDOW(7, PLAIN, 1) },
    { .name = "2x2, stride 2, padding",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 4, 6, 3), X(4, 2, 2, 2, 3) },
      WINDOW(8, PLAIN, 0) },
    { .name = "no padding",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 5, 6, 3), X(4, 2, 3, 3, 3), X(1, 2) },
      WINDOW(9, PLAIN, 1) },
    { .name = "more padding than taps",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 3, 4, 3), X(4, 2, 1, 1, 3) },
      WINDOW(10, PLAIN, 0) },
    { .name = "left out",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 6, 7, 2), X(4, 3, 3, 3, 2) },
      WINDOW(11, PLAIN, 0) },
    { .name = "left out, stride 2",
      .f32_only = true,
      .in = { X(4, 1, 7, 8, 2), X(4, 3, 3, 3, 2) },
      WINDOW(12, PLAIN, 0) },
    { .name = "the same size",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 4, 5, 3), X(4, 2, 3, 3, 3) },
      WINDOW(15, PLAIN, 0) },
    { .name = "QuickGELU",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 4, 5, 3), X(4, 2, 3, 3, 3), X(1, 2) },
      WINDOW(15, ACTIVATION_QUICK_GELU, 1),
      .tol16 = 2 },
    { .name = "whole vectors, stride 2",
      .in = { X(4, 1, 6, 7, 16), X(4, 32, 3, 3, 16), X(1, 32) },
      WINDOW(0, ACTIVATION_SILU, 1),
      .tol16 = 2,
      .large = true },
    { .name = "one element",
      .large = true,
      .f32_only = true,
      .in = { X(4, 1, 1, 1, 1), X(4, 1, 3, 3, 1) },
      WINDOW(0, PLAIN, 0) },
    { .name = "another size",
      .in = { X(4, 1, 4, 4, 3), X(4, 2, 3, 3, 3) },
      WINDOW(2, PLAIN, 0),
      .fails = "conv2d: a window of 1x7 does not fit weight [2,3,3,3]" },
    { .name = "no stride",
      .in = { X(4, 1, 4, 4, 3), X(4, 2, 3, 3, 3) },
      WINDOW(13, PLAIN, 0),
      .fails = "strides 0 and 1" },
    { .name = "no place",
      .in = { X(4, 1, 4, 4, 3), X(4, 2, 9, 3, 3) },
      WINDOW(14, PLAIN, 0),
      .fails = "a window of 9x3 does not fit into [1,4,4,3] with padding of 2, 2 rows" },
    { .name = "no size",
      .in = { X(4, 1, 4, 4, 3), X(4, 2, 3, 3, 3) },
      WINDOW(16, PLAIN, 0),
      .fails = "a window of 0x0 does not fit weight" },
    { .name = "channels of patches",
      .in = { X(4, 1, 4, 6, 3), X(4, 2, 2, 3, 4) },
      WINDOW(17, PLAIN, 0),
      .fails = "has 3 channels" },
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
    { "conv2d window", build, reference, OP_CASES(shapes) },
    { "conv2d block", build_block, reference_block, OP_CASES(blocks) },
    { 0 },
};

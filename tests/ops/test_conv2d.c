/* test_conv2d.c -- convolution of images, stride 1, same size.  ints[0]: with bias.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_conv2d(in[0], in[1], c->ints[0] ? in[2] : NULL);
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
    for (int64_t i = 0; i < out[0].count; ++i) {
        int64_t o = i % outs, x = i / outs % W, y = i / outs / W % H, b = i / outs / W / H;
        double sum = c->ints[0] ? in[2].v[o] : 0;
        for (int64_t ky = 0; ky < k; ++ky)
            for (int64_t kx = 0; kx < k; ++kx)
                for (int64_t n = 0; n < ins; ++n)
                    sum += w->v[((o * k + ky) * k + kx) * ins + n] *
                           pixel(&in[0], b, y + ky - k / 2, x + kx - k / 2, n);
        out[0].v[i] = sum;
    }
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
    { .name = "one element", .in = { X(4, 1, 1, 1, 1), X(4, 1, 1, 1, 1) } },
    { .name = "channels", .in = { X(4, 1, 4, 4, 3), X(4, 2, 3, 3, 4) }, .fails = "has 3 channels" },
    { .name = "even kernel", .in = { X(4, 1, 4, 4, 3), X(4, 2, 2, 2, 3) }, .fails = "odd size" },
    { .name = "axes", .in = { X(3, 4, 4, 3), X(4, 2, 3, 3, 3) }, .fails = "are needed" },
};

int main(void)
{
    return op_check_main(&(op_test){ "conv2d", build, reference, OP_CASES(cases) });
}

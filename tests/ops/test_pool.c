/* test_pool.c -- maxima and means of windows: overlapping, with padding, apart, as large as the picture;
 * ties. ints: window's number, and for means whether padding counts.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static const window windows[] = {
    { { 3, 3 }, { 2, 2 }, { 0, 0 }, { 0, 0 } },  /* 0: Inception's and AlexNet's */
    { { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },  /* 1: Inception's branches */
    { { 2, 2 }, { 2, 2 }, { 0, 0 }, { 0, 0 } },  /* 2 */
    { { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 } },  /* 3: ResNet's */
    { { 1, 4 }, { 3, 2 }, { 0, 3 }, { 0, 1 } },  /* 4 */
    { { 2, 3 }, { 4, 5 }, { 1, 0 }, { 0, 2 } },  /* 5: pixels that no window sees */
    { { 4, 5 }, { 1, 1 }, { 0, 0 }, { 0, 0 } },  /* 6: all of a picture */
    { { 1, 1 }, { 1, 1 }, { 0, 0 }, { 0, 0 } },  /* 7 */
    { { 9, 9 }, { 1, 1 }, { 0, 0 }, { 0, 0 } },  /* 8: too large */
    { { 2, 2 }, { 1, 1 }, { 2, 0 }, { 0, 0 } },  /* 9: a window of padding alone */
    { { 2, 2 }, { 1, 1 }, { 0, 0 }, { 0, -1 } }, /* 10 */
    { { 2, 2 }, { 1, 0 }, { 0, 0 }, { 0, 0 } },  /* 11 */
    { { 0, 2 }, { 1, 1 }, { 0, 0 }, { 0, 0 } },  /* 12 */
};

static void build_max(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_max_pool(in[0], &windows[c->ints[0]]);
}

static void build_average(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_average_pool(in[0], &windows[c->ints[0]], c->ints[1]);
}

typedef struct summary {
    double most, sum;
    int64_t seen, first; /* where the maximum is first */
} summary;

/* Of what the window behind element i of y sees. */
static summary look(const window *w, const op_array *x, const op_array *y, int64_t i)
{
    int64_t c = i % y->dim[3], across = i / y->dim[3] % y->dim[2],
            down = i / y->dim[3] / y->dim[2] % y->dim[1];
    int64_t picture = i / y->dim[3] / y->dim[2] / y->dim[1];
    summary s = { -1e30, 0, 0, -1 };
    for (int64_t tap = 0; tap < (int64_t)w->size[0] * w->size[1]; ++tap) {
        int64_t row = down * w->stride[0] - w->before[0] + tap / w->size[1];
        int64_t column = across * w->stride[1] - w->before[1] + tap % w->size[1];
        if (row < 0 || column < 0 || row >= x->dim[1] || column >= x->dim[2]) continue;
        int64_t at = ((picture * x->dim[1] + row) * x->dim[2] + column) * x->dim[3] + c;
        s.sum += x->v[at];
        ++s.seen;
        if (x->v[at] <= s.most) continue;
        s.most = x->v[at];
        s.first = at;
    }
    return s;
}

static void reference_max(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = 0; i < out[0].count; ++i)
        out[0].v[i] = look(&windows[c->ints[0]], &in[0], &out[0], i).most;
}

static void reference_average(const op_case *c, const op_array *in, op_array *out)
{
    const window *w = &windows[c->ints[0]];
    for (int64_t i = 0; i < out[0].count; ++i) {
        summary s = look(w, &in[0], &out[0], i);
        out[0].v[i] = s.sum / (double)(c->ints[1] ? (int64_t)w->size[0] * w->size[1] : s.seen);
    }
}

/* All different and far apart next to the step of the differences, in every storage type. */
static const double spread[] = { 5,   -3, 2,  7,   0,  1,   -1,  4,  9,   -8,  6,   3,
                                 -2,  8,  -4, -5,  24, 23,  15,  13, 12,  17,  10,  11,
                                 -11, 14, 19, -18, 16, -13, -12, 18, -14, -15, -23, -24 };

#define SPREAD(...) \
    { \
        { \
            4, { __VA_ARGS__ }, .values = spread \
        } \
    }
#define RANDOM(...) \
    { \
        { \
            4, \
            { \
                __VA_ARGS__ \
            } \
        } \
    }
static const op_case maxima[] = {
    { .name = "overlapping", .in = SPREAD(1, 5, 7, 1), .ints = { 0 } },
    { .name = "overlapping, two channels", .in = SPREAD(1, 3, 6, 2), .ints = { 0 } },
    { .name = "with padding", .in = SPREAD(2, 3, 3, 2), .ints = { 1 } },
    { .name = "apart", .in = SPREAD(1, 4, 4, 2), .ints = { 2 } },
    { .name = "apart, odd sizes", .in = SPREAD(1, 5, 7, 1), .ints = { 2 } },
    { .name = "overlapping, with padding", .in = SPREAD(1, 5, 6, 1), .ints = { 3 } },
    { .name = "a line", .in = SPREAD(2, 4, 4, 1), .ints = { 4 } },
    { .name = "with pixels unseen", .in = SPREAD(1, 5, 7, 1), .ints = { 5 } },
    { .name = "whole vectors of channels", .in = SPREAD(1, 1, 2, 16), .ints = { 3 } },
    { .name = "all of it", .in = SPREAD(1, 4, 5, 1), .ints = { 6 } },
    { .name = "itself", .in = SPREAD(1, 3, 4, 3), .ints = { 7 } },
    { .name = "one element", .in = SPREAD(1, 1, 1, 1), .ints = { 7 } },
    { .name = "many channels", .in = RANDOM(2, 7, 5, 48), .ints = { 0 }, .no_gradient = true },
    { .name = "odd channels", .in = RANDOM(3, 6, 10, 7), .ints = { 1 }, .no_gradient = true },
    { .name = "too large",
      .in = RANDOM(1, 4, 5, 1),
      .ints = { 8 },
      .fails = "a window of 9x9 does not fit into [1,4,5,1]" },
    { .name = "padding alone",
      .in = RANDOM(1, 4, 5, 1),
      .ints = { 9 },
      .fails = "padding of 2 and 0 along Y" },
    { .name = "less than a picture",
      .in = RANDOM(1, 4, 5, 1),
      .ints = { 10 },
      .fails = "padding of 0 and -1 along X" },
    { .name = "no stride",
      .in = RANDOM(1, 4, 5, 1),
      .ints = { 11 },
      .fails = "max_pool: a window of 2x2 with strides 1 and 0" },
    { .name = "no size", .in = RANDOM(1, 4, 5, 1), .ints = { 12 }, .fails = "a window of 0x2" },
    { .name = "axes", .in = { { 3, { 2, 4, 2 } } }, .ints = { 7 }, .fails = "max_pool: x must be [B,Y,X,C]" },
    { .name = "integers",
      .in = { { 4, { 1, 2, 2, 1 }, .role = OP_INTEGER } },
      .ints = { 7 },
      .fails = "must be of a floating type" },
};

static const op_case means[] = {
    { .name = "overlapping", .in = RANDOM(2, 5, 7, 3), .ints = { 0 } },
    { .name = "padding left out", .in = RANDOM(2, 4, 5, 3), .ints = { 1, 0 } },
    { .name = "padding counted", .in = RANDOM(2, 4, 5, 3), .ints = { 1, 1 } },
    { .name = "apart", .in = RANDOM(1, 4, 6, 5), .ints = { 2 } },
    { .name = "padding left out, overlapping", .in = RANDOM(1, 5, 6, 2), .ints = { 3, 0 } },
    { .name = "padding counted, overlapping", .in = RANDOM(1, 5, 6, 2), .ints = { 3, 1 } },
    { .name = "a line, padding left out", .in = RANDOM(2, 4, 4, 2), .ints = { 4, 0 } },
    { .name = "a line, padding counted", .in = RANDOM(2, 4, 4, 2), .ints = { 4, 1 } },
    { .name = "with pixels unseen", .in = RANDOM(1, 5, 7, 2), .ints = { 5, 0 } },
    { .name = "whole vectors of channels", .in = RANDOM(1, 3, 4, 32), .ints = { 1, 0 } },
    { .name = "all of it", .in = RANDOM(2, 4, 5, 3), .ints = { 6 } },
    { .name = "one element", .in = RANDOM(1, 1, 1, 1), .ints = { 7 } },
    { .name = "too large", .in = RANDOM(1, 4, 5, 1), .ints = { 8 }, .fails = "does not fit into" },
    { .name = "padding alone",
      .in = RANDOM(1, 4, 5, 1),
      .ints = { 9 },
      .fails = "average_pool: padding of 2 and 0" },
};

/* Ties: the gradient goes to the first in raster order, in each window that sees it. */
static void build_ties(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    graph_set_trainable(g, true);
    graph_backward(g, op_sum_all(op_mul(op_max_pool(in[0], &windows[c->ints[0]]), in[1])));
    out[0] = graph_gradient(g, in[0]);
}

static void reference_ties(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = 0; i < in[1].count; ++i)
        out[0].v[look(&windows[c->ints[0]], &in[0], &in[1], i).first] += in[1].v[i];
}

static const double tied[] = { 1, 1, 0, 2, 1, 0, 2, 2, 3, 0, 0, 0, 3, 3, 0, 1, 2, 2, 2, 2, 1, 3, 3, 3, 0,
                               1, 1, 0, 2, 1, 0, 2, 2, 3, 0, 0, 0, 3, 3, 0, 1, 2, 2, 2, 2, 1, 3, 3, 3, 0 };

#define TIED(y, x, c, down, across) \
    { \
        { 4, { 1, y, x, c }, .values = tied }, \
        { \
            4, { 1, down, across, c }, OP_FIXED \
        } \
    }
static const op_case ties[] = {
    { .name = "overlapping", .in = TIED(5, 5, 1, 2, 2), .ints = { 0 }, .no_gradient = true },
    { .name = "with padding", .in = TIED(5, 5, 1, 5, 5), .ints = { 1 }, .no_gradient = true },
    { .name = "two channels", .in = TIED(5, 5, 2, 3, 3), .ints = { 3 }, .no_gradient = true },
    { .name = "whole vectors", .in = TIED(1, 3, 16, 1, 3), .ints = { 1 }, .no_gradient = true },
};

int main(void)
{
    return op_check_all(3, (op_test[]){ { "max_pool", build_max, reference_max, OP_CASES(maxima) },
                                        { "average_pool", build_average, reference_average, OP_CASES(means) },
                                        { "max_pool ties", build_ties, reference_ties, OP_CASES(ties) } });
}

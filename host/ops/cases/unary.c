/* unary.c -- the functions of one element.  ints[0] names the function.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"
#include <math.h>

enum { SCALE, AFFINE, SQUARE, EXP, LOG, SIGMOID, CLAMP };

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *x = in[0];
    switch (c->ints[0]) {
    case SCALE:
        out[0] = op_scale(x, -2.5f);
        break;
    case AFFINE:
        out[0] = op_affine(x, 1.5f, -0.25f);
        break;
    case SQUARE:
        out[0] = op_square(x);
        break;
    case EXP:
        out[0] = op_exp(x);
        break;
    case LOG:
        out[0] = op_log(x);
        break;
    case SIGMOID:
        out[0] = op_sigmoid(x);
        break;
    default:
        out[0] = op_clamp(x, -0.5f, 0.75f);
        break;
    }
}

static double value(int64_t function, double x)
{
    switch (function) {
    case SCALE:
        return -2.5 * x;
    case AFFINE:
        return 1.5 * x - 0.25;
    case SQUARE:
        return x * x;
    case EXP:
        return exp(x);
    case LOG:
        return log(x);
    case SIGMOID:
        return 1 / (1 + exp(-x));
    default:
        return fmin(fmax(x, -0.5), 0.75);
    }
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i)
        out[0].v[i] = value(c->ints[0], in[0].v[i]);
}

#define ODD \
    { \
        .rank = 3, .dim = { 3, 5, 7 } \
    }
static const op_case cases[] = {
    { .name = "scale", .in = { ODD }, .ints = { SCALE } },
    { .name = "affine", .in = { ODD }, .ints = { AFFINE } },
    { .name = "square", .in = { ODD }, .ints = { SQUARE } },
    { .name = "exp", .in = { ODD }, .ints = { EXP } },
    { .name = "log", .in = { { .rank = 2, .dim = { 3, 7 }, .low = 0.25, .high = 4 } }, .ints = { LOG } },
    { .name = "sigmoid",
      .in = { { .rank = 2, .dim = { 3, 7 }, .low = -9, .high = 9 } },
      .ints = { SIGMOID } },
    { .name = "clamp", .in = { ODD }, .ints = { CLAMP }, .kinks = { -0.5, 0.75 }, .kink_count = 2 },
    { .name = "one element", .in = { { .rank = 1, .dim = { 1 } } }, .ints = { EXP } },
    { .name = "integers",
      .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } },
      .ints = { EXP },
      .fails = "exp: the input has type I32" },
};

static const op_timed timed[] = {
    { "exp", "ROWSxCOLUMNS", "2560x2048", op_case_rows, EXP },
    { "sigmoid", "ROWSxCOLUMNS", "2560x2048", op_case_rows, SIGMOID },
    { "square", "ROWSxCOLUMNS", NULL, op_case_rows, SQUARE },
    { "scale", "ROWSxCOLUMNS", NULL, op_case_rows, SCALE },
    { "clamp", "ROWSxCOLUMNS", NULL, op_case_rows, CLAMP },
    { 0 },
};

const op_test unary_tests[] = {
    { "unary", build, reference, OP_CASES(cases), timed },
    { 0 },
};

/* binary.c -- sums, differences, products, quotients, and what they repeat.  ints[0] names one.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

enum { ADD, SUB, MUL, DIV };

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    static tensor *(*const ops[])(tensor *, tensor *) = { op_add, op_sub, op_mul, op_div };
    out[0] = ops[c->ints[0]](in[0], in[1]);
}

/* x's element under element i of y; axes that x lacks are y's first. */
static double under(const op_array *x, const op_array *y, int64_t i)
{
    int64_t at = 0, step = 1;
    for (int axis = 1; axis <= y->rank; ++axis) {
        int64_t size = y->dim[y->rank - axis], own = axis <= x->rank ? x->dim[x->rank - axis] : 1;
        if (own > 1) at += i % size * step;
        i /= size;
        step *= own;
    }
    return x->v[at];
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        double a = under(&in[0], &out[0], i), b = under(&in[1], &out[0], i);
        out[0].v[i] = c->ints[0] == ADD   ? a + b
                      : c->ints[0] == SUB ? a - b
                      : c->ints[0] == MUL ? a * b
                                          : a / b;
    }
}

#define ODD \
    { \
        .rank = 3, .dim = { 3, 5, 7 } \
    }
#define POSITIVE(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ }, .low = 0.5, .high = 2 \
    }
static const op_case cases[] = {
    { .name = "add", .in = { ODD, ODD }, .ints = { ADD } },
    { .name = "sub", .in = { ODD, ODD }, .ints = { SUB } },
    { .name = "mul", .in = { ODD, ODD }, .ints = { MUL } },
    { .name = "div", .in = { ODD, POSITIVE(3, 3, 5, 7) }, .ints = { DIV }, .tol16 = 2 },
    { .name = "add suffix", .in = { ODD, { .rank = 1, .dim = { 7 } } }, .ints = { ADD } },
    { .name = "sub suffix", .in = { ODD, { .rank = 2, .dim = { 5, 7 } } }, .ints = { SUB } },
    { .name = "mul suffix of whole vectors",
      .in = { { .rank = 2, .dim = { 9, 32 } }, { .rank = 1, .dim = { 32 } } },
      .ints = { MUL } },
    { .name = "div suffix", .in = { ODD, POSITIVE(1, 7) }, .ints = { DIV }, .tol16 = 2 },
    { .name = "mul one", .in = { ODD, { .rank = 1, .dim = { 1 } } }, .ints = { MUL } },
    { .name = "div float one",
      .in = { ODD, { .rank = 1, .dim = { 1 }, .role = OP_FLOAT, .low = 1, .high = 2 } },
      .ints = { DIV },
      .tol16 = 2 },
    { .name = "mixed types", .in = { ODD, { .rank = 1, .dim = { 7 }, .role = OP_FLOAT } }, .ints = { MUL } },
    { .name = "one element",
      .in = { { .rank = 1, .dim = { 1 } }, { .rank = 1, .dim = { 1 } } },
      .ints = { MUL } },
    { .name = "shapes",
      .in = { ODD, { .rank = 1, .dim = { 5 } } },
      .fails = "add: [5] does not extend to [3,5,7]" },
    { .name = "a size between",
      .in = { ODD, { .rank = 3, .dim = { 3, 4, 7 } } },
      .ints = { DIV },
      .fails = "div: [3,4,7] does not extend to [3,5,7]" },
    { .name = "a size before",
      .in = { { .rank = 2, .dim = { 5, 7 } }, { .rank = 3, .dim = { 2, 1, 6 } } },
      .ints = { MUL },
      .fails = "mul: [2,1,6] does not extend to [5,7]" },
    { .name = "integers",
      .in = { ODD, { .rank = 1, .dim = { 7 }, .role = OP_INTEGER } },
      .fails = "add: types F32 and I32" },
};

#define IN(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ } \
    }
/* Repeated along axes: the second, the first, and both; whole vectors and not. */
static const op_case axes[] = {
    { .name = "rows", .f32_only = true, .in = { IN(2, 5, 7), IN(2, 5, 1) }, .ints = { ADD } },
    { .name = "rows, whole vectors", .in = { IN(2, 5, 48), IN(2, 5, 1) }, .ints = { SUB } },
    { .name = "rows, quotient",
      .f32_only = true,
      .in = { IN(2, 5, 7), POSITIVE(2, 5, 1) },
      .ints = { DIV },
      .tol16 = 2 },
    { .name = "channels of each picture", .in = { IN(4, 2, 3, 5, 7), IN(4, 2, 1, 1, 7) }, .ints = { MUL } },
    { .name = "channels, whole vectors",
      .f32_only = true,
      .in = { IN(4, 2, 3, 5, 32), IN(4, 2, 1, 1, 32) },
      .ints = { ADD } },
    { .name = "channels, quotient",
      .f32_only = true,
      .in = { IN(4, 2, 3, 5, 16), POSITIVE(4, 2, 1, 1, 16) },
      .ints = { DIV },
      .tol16 = 2 },
    { .name = "pixels",
      .f32_only = true,
      .in = { IN(4, 2, 3, 5, 7), IN(4, 1, 3, 5, 1) },
      .ints = { MUL },
      .tol16 = 2 },
    { .name = "every other axis",
      .f32_only = true,
      .in = { IN(6, 2, 3, 2, 3, 2, 3), IN(5, 3, 1, 3, 1, 3) },
      .ints = { SUB },
      .tol16 = 2 },
    { .name = "every other axis of six",
      .f32_only = true,
      .in = { IN(6, 2, 3, 2, 3, 2, 3), IN(6, 2, 1, 2, 1, 2, 1) },
      .ints = { MUL },
      .tol16 = 2 },
    { .name = "one more axis", .f32_only = true, .in = { IN(2, 3, 7), IN(3, 1, 1, 7) }, .ints = { ADD } },
    { .name = "longer second", .f32_only = true, .in = { IN(1, 7), IN(3, 3, 5, 7) }, .ints = { SUB } },
    { .name = "longer second, quotient",
      .f32_only = true,
      .in = { IN(1, 7), POSITIVE(2, 5, 7) },
      .ints = { DIV },
      .tol16 = 2 },
    { .name = "one element first",
      .f32_only = true,
      .in = { IN(1, 1), IN(2, 5, 7) },
      .ints = { MUL },
      .tol16 = 2 },
    { .name = "one element with axes",
      .f32_only = true,
      .in = { IN(1, 7), IN(3, 1, 1, 1) },
      .ints = { ADD } },
    { .name = "both", .in = { IN(2, 5, 1), IN(1, 7) }, .ints = { MUL } },
    { .name = "both, whole vectors",
      .f32_only = true,
      .in = { IN(3, 2, 1, 32), IN(2, 3, 1) },
      .ints = { ADD } },
    { .name = "both, quotient",
      .f32_only = true,
      .in = { IN(3, 4, 1, 3), POSITIVE(3, 1, 5, 3) },
      .ints = { DIV },
      .tol16 = 2 },
    { .name = "mixed types",
      .in = { IN(3, 2, 5, 7), { .rank = 3, .dim = { 2, 1, 7 }, .role = OP_FLOAT } },
      .ints = { MUL } },
    { .name = "one element each", .f32_only = true, .in = { IN(3, 1, 1, 1), IN(2, 1, 1) }, .ints = { MUL } },
    { .name = "many rows",
      .f32_only = true,
      .in = { IN(3, 2, 2500, 3), IN(3, 2, 1, 3) },
      .ints = { ADD },
      .tol16 = 2,
      .large = true },
};

/* A vector against every row; away from 0, of which a quotient would be all rounding. */
static void make(op_case *c, const int64_t *size)
{
    op_case_rows(c, size);
    c->in[1] = op_case_in(1, &size[1]);
    c->in[1].low = 0.5;
}

static const op_timed timed[] = {
    { "add", "ROWSxCOLUMNS", "65536x256", make, ADD },
    { "sub", "ROWSxCOLUMNS", NULL, make, SUB },
    { "mul", "ROWSxCOLUMNS", "65536x256", make, MUL },
    { "div", "ROWSxCOLUMNS", NULL, make, DIV },
    { 0 },
};

const op_test binary_tests[] = {
    { "binary", build, reference, OP_CASES(cases), timed },
    { "binary along axes", build, reference, OP_CASES(axes) },
    { 0 },
};

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

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        double a = in[0].v[i], b = in[1].v[i % in[1].count];
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
    { .name = "longer second", .in = { { .rank = 1, .dim = { 7 } }, ODD }, .fails = "does not extend" },
    { .name = "integers",
      .in = { ODD, { .rank = 1, .dim = { 7 }, .role = OP_INTEGER } },
      .fails = "add: types F32 and I32" },
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
    { 0 },
};

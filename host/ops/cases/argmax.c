/* test_argmax.c -- the index of the largest, ties to the lowest.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"
#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g, (void)c;
    out[0] = op_argmax_last(in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t r = 0; r < in[0].rows; ++r) {
        const double *x = in[0].v + r * in[0].last;
        int64_t best = 0;
        for (int64_t i = 1; i < in[0].last; ++i)
            if (x[i] > x[best]) best = i;
        out[0].v[r] = (double)best;
    }
}

static const double ties[2 * 40] = { [17] = 1, [20] = 1, [33] = 1, [40 + 39] = 2, [40 + 38] = 2 };
static const double masked[5] = { -INFINITY, -INFINITY, -INFINITY, -3, -INFINITY };

#define X(...) \
    { \
        .role = OP_FIXED, __VA_ARGS__ \
    }
static const op_case cases[] = {
    { .name = "odd", .in = { X(.rank = 3, .dim = { 2, 3, 37 }) } },
    { .name = "negative", .in = { X(.rank = 2, .dim = { 4, 67 }, .low = -9, .high = -1) } },
    { .name = "ties", .in = { X(.rank = 2, .dim = { 2, 40 }, .values = ties) } },
    { .name = "masked", .in = { X(.rank = 1, .dim = { 5 }, .values = masked) } },
    { .name = "long", .in = { X(.rank = 2, .dim = { 3, 1031 }) }, .large = true },
    { .name = "one element", .in = { X(.rank = 1, .dim = { 1 }) } },
    { .name = "integers", .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } }, .fails = "argmax: I32" },
};

int main(void)
{
    return op_check_main(&(op_test){ "argmax", build, reference, OP_CASES(cases) });
}

/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_nearest_code(in[0], in[1]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t columns = in[0].last;
    for (int64_t r = 0; r < out[0].count; ++r) {
        double least = 1e300;
        for (int64_t k = 0; k < in[1].dim[0]; ++k) {
            double distance = 0.0;
            for (int64_t i = 0; i < columns; ++i) {
                double d = in[0].v[r * columns + i] - in[1].v[k * columns + i];
                distance += d * d;
            }
            if (distance < least) {
                least = distance;
                out[0].v[r] = (double)k;
            }
        }
    }
}

/* Codes 1, 3 and 4 are equal, as are 0 and 2. */
static const double twins[] = { 9, 9, 9, 1, 0, -1, 9, 9, 9, 1, 0, -1, 1, 0, -1 };

static const op_case cases[] = {
    { .name = "odd", .in = { { 2, { 7, 37 }, OP_FIXED }, { 2, { 13, 37 }, OP_FIXED } }, .no_gradient = true },
    { .name = "image",
      .in = { { 4, { 2, 3, 3, 16 }, OP_FIXED }, { 2, { 64, 16 }, OP_FIXED } },
      .no_gradient = true },
    { .name = "ties",
      .in = { { 2, { 5, 3 }, OP_FIXED }, { 2, { 5, 3 }, OP_FIXED, .values = twins } },
      .no_gradient = true },
    { .name = "all equal",
      .in = { { 2, { 3, 5 }, OP_FIXED, 1, 1 }, { 2, { 200, 5 }, OP_FIXED, .low = 2, .high = 2 } },
      .no_gradient = true },
    { .name = "one code",
      .in = { { 2, { 3, 5 }, OP_FIXED }, { 2, { 1, 5 }, OP_FIXED } },
      .no_gradient = true },
    { .name = "sizes", .in = { { 2, { 3, 5 }, OP_FIXED }, { 2, { 4, 6 }, OP_FIXED } }, .fails = "last axis" },
};

int main(void)
{
    return op_check_main(&(op_test){ "nearest_code", build, reference, OP_CASES(cases) });
}

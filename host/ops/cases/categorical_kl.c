/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

#include <math.h>

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_categorical_kl(in[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t count = in[0].last;
    for (int64_t r = 0; r < out[0].count; ++r) {
        const double *x = in[0].v + r * count;
        double top = x[0], sum = 0.0;
        for (int64_t i = 0; i < count; ++i) top = fmax(top, x[i]);
        for (int64_t i = 0; i < count; ++i) sum += exp(x[i] - top);
        for (int64_t i = 0; i < count; ++i) {
            double p = exp(x[i] - top) / sum;
            if (p > 0.0) out[0].v[r] += p * (log(p) + log((double)count));
        }
    }
}

static const double steep[] = { 100, 0, 0, 0, -2000, 50, 3, 4, 0, 0, 0, 80, 80, 0, 0 };

static const op_case cases[] = {
    { .name = "odd", .in = { { 3, { 2, 3, 37 }, OP_VALUE, -4, 4 } } },
    { .name = "steep", .in = { { 2, { 3, 5 }, .values = steep } } },
    { .name = "wide", .in = { { 2, { 3, 1029 }, OP_VALUE, -8, 8 } }, .large = true, .tol = 5e-5 },
};

int main(void)
{
    return op_check_main(&(op_test){ "categorical_kl", build, reference, OP_CASES(cases) });
}

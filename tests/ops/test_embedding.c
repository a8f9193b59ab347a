/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_embedding(in[0], in[1]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t columns = in[0].last;
    for (int64_t i = 0; i < out[0].count; ++i)
        out[0].v[i] = in[0].v[(int64_t)in[1].v[i / columns] * columns + i % columns];
}

static const op_case cases[] = {
    { .name = "odd", .in = { { 2, { 11, 19 } }, { 2, { 3, 5 }, OP_INTEGER, 0, 10 } } },
    { .name = "one row", .in = { { 2, { 1, 1 } }, { 1, { 1 }, OP_INTEGER, 0, 0 } } },
    { .name = "all the same", .in = { { 2, { 5, 33 } }, { 1, { 40 }, OP_INTEGER, 3, 3 } } },
    { .name = "few used", .in = { { 2, { 300, 4 } }, { 1, { 17 }, OP_INTEGER, 100, 299 } }, .large = true },
    { .name = "float ids", .in = { { 2, { 4, 4 } }, { 1, { 3 } } }, .fails = "ids must be I32" },
    { .name = "flat table", .in = { { 1, { 4 } }, { 1, { 3 }, OP_INTEGER, 0, 3 } }, .fails = "[V,C]" },
};

int main(void)
{
    return op_check_main(&(op_test){ "embedding", build, reference, OP_CASES(cases) });
}

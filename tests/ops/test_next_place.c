/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

#define SIDE 8

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_next_place(in[0], SIDE);
}

/* Whatever stood there: a column past the last one ends the row too. */
static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    const double *at = in[0].v;
    const bool ends = at[3] + 1 >= SIDE;
    out[0].v[0] = at[0] + 1;
    out[0].v[1] = at[1] + 1;
    out[0].v[2] = at[2] + (ends ? 1 : 0);
    out[0].v[3] = ends ? 0 : at[3] + 1;
}

static const op_case cases[] = {
    { .name = "within a row", .in = { { 1, { 4 }, OP_INTEGER, 0, SIDE - 2 } } },
    { .name = "end of a row", .in = { { 1, { 4 }, OP_INTEGER, SIDE - 1, SIDE - 1 } } },
    { .name = "three numbers", .in = { { 1, { 3 }, OP_INTEGER, 0, 5 } }, .fails = "place" },
};

int main(void)
{
    return op_check_main(&(op_test){ "next_place", build, reference, OP_CASES(cases) });
}

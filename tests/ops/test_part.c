/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void add(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_part_add(in[0], in[1], in[2], (float)c->reals[0]);
}

static void add_reference(const op_case *c, const op_array *in, op_array *out)
{
    bool first = in[2].v[3] == 0;
    for (int64_t i = 0; i < out[0].count; ++i)
        out[0].v[i] = (first ? 0 : in[0].v[i]) + c->reals[0] * in[1].v[i];
}

static const op_case add_cases[] = {
    { .name = "first",
      .in = { { 2, { 7, 19 }, OP_STATE }, { 2, { 7, 19 }, OP_FIXED }, { 1, { 4 }, OP_INTEGER, 0, 0 } },
      .reals = { 0.25 } },
    { .name = "further",
      .in = { { 2, { 7, 19 }, OP_STATE }, { 2, { 7, 19 }, OP_FIXED }, { 1, { 4 }, OP_INTEGER, 3, 3 } },
      .reals = { 0.5 } },
    { .name = "one number",
      .in = { { 1, { 1 }, OP_STATE }, { 1, { 1 }, OP_FIXED }, { 1, { 4 }, OP_INTEGER, 8, 8 } },
      .reals = { 1 } },
    { .name = "shapes",
      .in = { { 1, { 33 }, OP_STATE }, { 1, { 3 }, OP_FIXED }, { 1, { 4 }, OP_INTEGER, 0, 0 } },
      .fails = "x must be [33], not [3]" },
};

static void put(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_part_put(in[0], in[1], in[2]);
}

static void put_reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t first = (int64_t)in[2].v[3] * (in[1].count / in[1].dim[0]);
    for (int64_t i = 0; i < out[0].count; ++i) out[0].v[i] = in[0].v[i];
    if (first + in[1].count > out[0].count) return;
    for (int64_t i = 0; i < in[1].count; ++i) out[0].v[first + i] = in[1].v[i];
}

static const op_case put_cases[] = {
    { .name = "first of three",
      .in = { { 3, { 6, 3, 7 }, OP_STATE }, { 3, { 2, 3, 7 } }, { 1, { 4 }, OP_INTEGER, 0, 0 } } },
    { .name = "second of three",
      .in = { { 3, { 6, 3, 7 }, OP_STATE }, { 3, { 2, 3, 7 } }, { 1, { 4 }, OP_INTEGER, 2, 2 } } },
    { .name = "last of three",
      .in = { { 3, { 6, 3, 7 }, OP_STATE }, { 3, { 2, 3, 7 } }, { 1, { 4 }, OP_INTEGER, 4, 4 } } },
    { .name = "one number each",
      .in = { { 1, { 5 }, OP_STATE }, { 1, { 1 } }, { 1, { 4 }, OP_INTEGER, 3, 3 } } },
    { .name = "all", .in = { { 2, { 3, 40 }, OP_STATE }, { 2, { 3, 40 } }, { 1, { 4 }, OP_INTEGER, 0, 0 } } },
    { .name = "past the end",
      .in = { { 2, { 4, 5 }, OP_STATE }, { 2, { 2, 5 } }, { 1, { 4 }, OP_INTEGER, 3, 3 } } },
    { .name = "uneven",
      .in = { { 2, { 5, 5 }, OP_STATE }, { 2, { 2, 5 } }, { 1, { 4 }, OP_INTEGER, 0, 0 } },
      .fails = "x [2,5] is no part of [5,5]" },
    { .name = "other samples",
      .in = { { 2, { 4, 5 }, OP_STATE }, { 2, { 2, 6 } }, { 1, { 4 }, OP_INTEGER, 0, 0 } },
      .fails = "x [2,6] is no part of [4,5]" },
};

int main(void)
{
    const op_test tests[] = { { "part_add", add, add_reference, OP_CASES(add_cases) },
                              { "part_put", put, put_reference, OP_CASES(put_cases) } };
    return op_check_all(2, tests);
}

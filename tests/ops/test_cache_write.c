/* SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_cache_write(in[0], in[1], in[2]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t length = in[0].dim[2], tokens = in[1].dim[2], head = in[1].dim[3];
    int64_t written = in[1].count / in[1].dim[0] * in[0].dim[0];
    for (int64_t i = 0; i < out[0].count; ++i) out[0].v[i] = in[0].v[i];
    for (int64_t i = 0; i < written; ++i) {
        int64_t pair = i / head / tokens, place = (int64_t)in[2].v[0] + i / head % tokens;
        if (place < length) out[0].v[(pair * length + place) * head + i % head] = in[1].v[i % in[1].count];
    }
}

static const op_case cases[] = {
    { .name = "one token",
      .in = { { 4, { 2, 3, 9, 16 }, OP_STATE },
              { 4, { 2, 3, 1, 16 }, OP_FIXED },
              { 1, { 1 }, OP_INTEGER, 4, 4 } } },
    { .name = "odd head",
      .in = { { 4, { 2, 1, 6, 37 }, OP_STATE },
              { 4, { 2, 1, 4, 37 }, OP_FIXED },
              { 1, { 1 }, OP_INTEGER, 2, 2 } } },
    { .name = "small head",
      .in = { { 4, { 3, 2, 5, 3 }, OP_STATE },
              { 4, { 3, 2, 5, 3 }, OP_FIXED },
              { 1, { 1 }, OP_INTEGER, 0, 0 } } },
    { .name = "past the end",
      .in = { { 4, { 2, 2, 5, 4 }, OP_STATE },
              { 4, { 2, 2, 3, 4 }, OP_FIXED },
              { 1, { 1 }, OP_INTEGER, 3, 3 } } },
    { .name = "one for all",
      .in = { { 4, { 3, 2, 5, 20 }, OP_STATE },
              { 4, { 1, 2, 2, 20 }, OP_FIXED },
              { 1, { 1 }, OP_INTEGER, 1, 1 } } },
    { .name = "in turns",
      .in = { { 4, { 6, 2, 5, 7 }, OP_STATE },
              { 4, { 2, 2, 3, 7 }, OP_FIXED },
              { 1, { 1 }, OP_INTEGER, 0, 0 } } },
    { .name = "uneven turns",
      .in = { { 4, { 5, 2, 5, 4 }, OP_STATE },
              { 4, { 2, 2, 3, 4 }, OP_FIXED },
              { 1, { 1 }, OP_INTEGER, 0, 0 } },
      .fails = "does not fit the cache" },
    { .name = "heads",
      .in = { { 4, { 2, 2, 5, 4 }, OP_STATE },
              { 4, { 2, 3, 3, 4 }, OP_FIXED },
              { 1, { 1 }, OP_INTEGER, 3, 3 } },
      .fails = "does not fit the cache" },
};

int main(void)
{
    return op_check_main(&(op_test){ "cache_write", build, reference, OP_CASES(cases) });
}

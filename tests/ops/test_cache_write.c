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
    for (int64_t i = 0; i < out[0].count; ++i) out[0].v[i] = in[0].v[i];
    for (int64_t i = 0; i < in[1].count; ++i) {
        int64_t pair = i / head / tokens, place = (int64_t)in[2].v[0] + i / head % tokens;
        if (place < length) out[0].v[(pair * length + place) * head + i % head] = in[1].v[i];
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

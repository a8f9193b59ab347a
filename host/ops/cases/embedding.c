/* embedding.c -- rows of tables by ids, and sums of them.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

static int terms_of(const op_case *c)
{
    return c->ints[0] ? (int)c->ints[0] : 1;
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    embedding_term term[EMBEDDING_TERMS];
    for (int t = 0; t < terms_of(c); ++t) term[t] = (embedding_term){ in[2 * t], in[2 * t + 1] };
    out[0] = terms_of(c) == 1 ? op_embedding(in[0], in[1]) : op_embedding_sum(terms_of(c), term);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t columns = in[0].last;
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i)
        for (int t = 0; t < terms_of(c); ++t) {
            const op_array *table = in + 2 * t, *ids = in + 2 * t + 1;
            out[0].v[i] += table->v[(int64_t)ids->v[i / columns % ids->count] * columns + i % columns];
        }
}

static const op_case cases[] = {
    { .name = "odd", .in = { { 2, { 11, 19 } }, { 2, { 3, 5 }, OP_INTEGER, 0, 10 } } },
    { .name = "one row", .in = { { 2, { 1, 1 } }, { 1, { 1 }, OP_INTEGER, 0, 0 } } },
    { .name = "all the same", .in = { { 2, { 5, 33 } }, { 1, { 40 }, OP_INTEGER, 3, 3 } } },
    { .name = "few used", .in = { { 2, { 300, 4 } }, { 1, { 17 }, OP_INTEGER, 100, 299 } }, .large = true },
    { .name = "two terms",
      .in = { { 2, { 7, 19 } },
              { 2, { 3, 5 }, OP_INTEGER, 0, 6 },
              { 2, { 9, 19 } },
              { 1, { 5 }, OP_INTEGER, 0, 8 } },
      .ints = { 2 } },
    { .name = "a token and its place",
      .in = { { 2, { 6, 33 } },
              { 2, { 2, 6 }, OP_INTEGER, 0, 5 },
              { 2, { 3, 33 } },
              { 1, { 6 }, OP_INTEGER, 0, 2 },
              { 2, { 4, 33 } },
              { 1, { 6 }, OP_INTEGER, 1, 3 } },
      .ints = { 3 } },
    { .name = "one place",
      .in = { { 2, { 6, 16 } },
              { 2, { 4, 1 }, OP_INTEGER, 0, 5 },
              { 2, { 3, 16 } },
              { 1, { 1 }, OP_INTEGER, 0, 2 },
              { 2, { 4, 16 } },
              { 1, { 1 }, OP_INTEGER, 1, 3 } },
      .ints = { 3 } },
    { .name = "places of another number",
      .in = { { 2, { 6, 16 } },
              { 2, { 4, 2 }, OP_INTEGER, 0, 5 },
              { 2, { 3, 16 } },
              { 1, { 4 }, OP_INTEGER, 0, 2 } },
      .ints = { 2 },
      .fails = "do not extend to" },
    { .name = "tables of two widths",
      .in = { { 2, { 6, 16 } },
              { 1, { 4 }, OP_INTEGER, 0, 5 },
              { 2, { 3, 8 } },
              { 1, { 4 }, OP_INTEGER, 0, 2 } },
      .ints = { 2 },
      .fails = "one width and type" },
    { .name = "float ids", .in = { { 2, { 4, 4 } }, { 1, { 3 } } }, .fails = "ids must be I32" },
    { .name = "flat table", .in = { { 1, { 4 } }, { 1, { 3 }, OP_INTEGER, 0, 3 } }, .fails = "[V,C]" },
};

static void make(op_case *c, const int64_t *size)
{
    op_case_rows(c, size);
    c->in[1] = op_case_in(1, &size[2]);
    c->in[1].role = OP_INTEGER;
    c->in[1].low = 0;
    c->in[1].high = (double)(size[0] - 1);
}

/* Rows that are asked for, and the result. */
static double bytes(const op_case *c, dtype type)
{
    const double ids = (double)c->in[1].dim[0];
    return ids * (4.0 + 2.0 * (double)dtype_bytes(type) * (double)c->in[0].dim[1]);
}

static const op_timed timed[] = {
    { "embedding", "ROWSxCOLUMNSxIDS", "8192x512x4096", make, .bytes = bytes },
    { 0 },
};

const op_test embedding_tests[] = {
    { "embedding", build, reference, OP_CASES(cases), timed },
    { 0 },
};

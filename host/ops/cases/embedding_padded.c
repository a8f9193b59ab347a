/* embedding_padded.c -- rows of a table by ids, those of another where an id is negative.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_embedding_padded(in[0], in[1], in[2]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    int64_t columns = in[0].last, tokens = in[2].last;
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        int64_t row = i / columns, id = (int64_t)in[2].v[row];
        out[0].v[i] =
            id < 0 ? in[1].v[row % tokens * columns + i % columns] : in[0].v[id * columns + i % columns];
    }
}

static const op_case cases[] = {
    { .name = "odd", .in = { { 2, { 6, 19 } }, { 2, { 5, 19 } }, { 2, { 3, 5 }, OP_INTEGER, -3, 5 } } },
    { .name = "all padding",
      .in = { { 2, { 2, 3 } }, { 2, { 4, 3 } }, { 2, { 2, 4 }, OP_INTEGER, -1, -1 } } },
    { .name = "no padding", .in = { { 2, { 7, 16 } }, { 2, { 4, 16 } }, { 2, { 2, 4 }, OP_INTEGER, 0, 6 } } },
    { .name = "positions",
      .in = { { 2, { 7, 16 } }, { 2, { 3, 16 } }, { 2, { 2, 4 }, OP_INTEGER, 0, 6 } },
      .fails = "padding must be [4,16], not [3,16]" },
};

/* A fifth of the places or so are padding, as captions have it. */
static void make(op_case *c, const int64_t *size)
{
    op_case_rows(c, size);
    c->in[1] = op_case_in(2, (int64_t[]){ size[3], size[1] });
    c->in[2] = op_case_in(2, &size[2]);
    c->in[2].role = OP_INTEGER;
    c->in[2].low = (double)(-size[0] / 4);
    c->in[2].high = (double)(size[0] - 1);
}

/* Rows that are asked for, and the result. */
static double bytes(const op_case *c, dtype type)
{
    const double ids = (double)(c->in[2].dim[0] * c->in[2].dim[1]);
    return ids * (4.0 + 2.0 * (double)dtype_bytes(type) * (double)c->in[0].dim[1]);
}

static const op_timed timed[] = {
    { "embedding_padded", "ROWSxCOLUMNSxBATCHxTOKENS", "16384x512x64x256", make, .bytes = bytes },
    { 0 },
};

const op_test embedding_padded_tests[] = {
    { "embedding_padded", build, reference, OP_CASES(cases), timed },
    { 0 },
};

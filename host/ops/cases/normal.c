/* normal.c -- standard normal numbers: the host's draws of each sample's stream.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "host/ops/cases/op_case.h"

static uint32_t stream; /* of the node last built */

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g, (void)c;
    out[0] = op_normal(in[0], in[1]);
    if (out[0]->from) stream = philox_stream(out[0]->from->name);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    const double *random = in[1].v;
    const int64_t sample = in[0].count / in[0].dim[0];
    philox p = { (uint32_t)random[0] | (uint64_t)(uint32_t)random[1] << 32, (uint32_t)random[2], 0 };
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i) {
        p.stream = stream + (uint32_t)random[3] + (uint32_t)(i / sample);
        out[0].v[i] = (double)philox_normal(&p, (uint32_t)(i % sample));
    }
}

#define RANDOM \
    { \
        1, { 4 }, OP_INTEGER, 3, 3 \
    }
static const op_case cases[] = {
    { .name = "odd", .in = { { 4, { 3, 5, 7, 3 }, OP_FIXED }, RANDOM } },
    { .name = "blocks", .in = { { 2, { 5, 64 }, OP_FIXED }, RANDOM } },
    { .name = "one number each", .in = { { 1, { 19 }, OP_FIXED }, RANDOM }, .f32_only = true },
    { .name = "control",
      .in = { { 2, { 5, 64 }, OP_FIXED }, { 1, { 3 }, OP_INTEGER, 0, 1 } },
      .fails = "random must be [4], not [3]" },
    { .name = "ids", .in = { { 2, { 5, 64 }, OP_INTEGER, 0, 1 }, RANDOM }, .fails = "numbers like I32" },
};

static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(2, size);
    c->in[0].role = OP_FIXED;
    c->in[1] = (op_in){ .rank = 1, .dim = { 4 }, .role = OP_INTEGER, .low = 3, .high = 3 };
}

/* The input only has the shape. */
static double bytes(const op_case *c, dtype type)
{
    return (double)c->in[0].dim[0] * (double)c->in[0].dim[1] * (double)dtype_bytes(type);
}

static const op_timed timed[] = {
    { "normal", "BxNUMBERS", "32x3072", make, 0, bytes },
    { 0 },
};

const op_test normal_tests[] = {
    { "normal", build, reference, OP_CASES(cases), timed },
    { 0 },
};

/* ema.c -- averages that follow parameters.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    (void)c;
    out[0] = op_ema(in[0], in[1], in[2]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    double d = in[2].v[0];
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i)
        out[0].v[i] = d * in[0].v[i] + (1.0 - d) * in[1].v[i];
}

static const double one[] = { 1 }, most[] = { 0.875 };

static const op_case cases[] = {
    { .name = "odd",
      .in = { { 2, { 7, 19 }, OP_STATE },
              { 2, { 7, 19 }, OP_FIXED },
              { 1, { 1 }, OP_CONTROL, .values = most } } },
    { .name = "left alone",
      .in = { { 1, { 33 }, OP_STATE }, { 1, { 33 }, OP_FIXED }, { 1, { 1 }, OP_CONTROL, .values = one } } },
    { .name = "shapes",
      .in = { { 1, { 33 }, OP_STATE }, { 1, { 3 }, OP_FIXED }, { 1, { 1 }, OP_CONTROL, .values = one } },
      .fails = "parameter must be [33], not [3]" },
};

static void make(op_case *c, const int64_t *size)
{
    op_case_rows(c, size);
    c->in[1] = c->in[0];
    c->in[0].role = OP_STATE;
    c->in[1].role = OP_FIXED;
    c->in[2] = op_case_in(1, (int64_t[]){ 1 });
    c->in[2].role = OP_CONTROL;
    c->in[2].values = most;
}

static const op_timed timed[] = {
    { "ema", "ROWSxCOLUMNS", "2560x2048", make },
    { 0 },
};

const op_test ema_tests[] = {
    { "ema", build, reference, OP_CASES(cases), timed },
    { 0 },
};

/* activation.c -- every activation at odd sizes, far from zero and on a view.  ints[0]: which; ints[1]:
 * a view.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *x = c->ints[1] ? op_permute(in[0], (int[]){ 1, 0 }) : in[0];
    const activation f = (activation)c->ints[0];
    out[0] = f == ACTIVATION_RELU ? op_relu(x) : f == ACTIVATION_GELU ? op_gelu(x) : op_activation(x, f);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t rows = c->ints[1] ? in[0].dim[0] : 1, columns = in[0].count / rows;
    for (int64_t i = out[0].from * out[0].last; i < out[0].to * out[0].last; ++i)
        out[0].v[i] = activation_value((activation)c->ints[0], in[0].v[i % rows * columns + i / rows]);
}

/* Derivatives jump at 0 for ReLU alone, but inputs moved away from there are as good for the others. */
#define CASES(f, word) \
    { .name = #word ", odd", \
      .in = { { .rank = 3, .dim = { 3, 5, 7 } } }, \
      .ints = { ACTIVATION_##f }, \
      .kinks = { 0 }, \
      .kink_count = 1 }, \
        { .name = #word ", one element", \
          .in = { { .rank = 1, .dim = { 1 } } }, \
          .ints = { ACTIVATION_##f }, \
          .kinks = { 0 }, \
          .kink_count = 1 }, \
        { .name = #word ", wide", \
          .in = { { .rank = 1, .dim = { 83 }, .low = -9, .high = 9 } }, \
          .ints = { ACTIVATION_##f }, \
          .kinks = { 0 }, \
          .kink_count = 1 }, \
        { .name = #word ", view", \
          .in = { { .rank = 2, .dim = { 5, 9 } } }, \
          .ints = { ACTIVATION_##f, 1 }, \
          .kinks = { 0 }, \
          .kink_count = 1 },

static const op_case cases[] = {
    ACTIVATIONS(CASES){ .name = "very far",
                        .in = { { .rank = 1, .dim = { 33 }, .low = -300, .high = 300 } },
                        .ints = { ACTIVATION_GELU_TANH } },
    { .name = "very far, silu",
      .in = { { .rank = 1, .dim = { 33 }, .low = -300, .high = 300 } },
      .ints = { ACTIVATION_SILU } },
    { .name = "integers",
      .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } },
      .ints = { ACTIVATION_RELU },
      .fails = "relu: " },
    { .name = "integers, gelu",
      .in = { { .rank = 1, .dim = { 4 }, .role = OP_INTEGER } },
      .ints = { ACTIVATION_GELU },
      .fails = "gelu: " },
};

static const op_timed timed[] = {
    { "gelu", "ROWSxCOLUMNS", "2560x2048", op_case_rows, ACTIVATION_GELU },
    { "relu", "ROWSxCOLUMNS", "2560x2048", op_case_rows, ACTIVATION_RELU },
    { "gelu_tanh", "ROWSxCOLUMNS", NULL, op_case_rows, ACTIVATION_GELU_TANH },
    { "quick_gelu", "ROWSxCOLUMNS", NULL, op_case_rows, ACTIVATION_QUICK_GELU },
    { "silu", "ROWSxCOLUMNS", NULL, op_case_rows, ACTIVATION_SILU },
    { 0 },
};

const op_test activation_tests[] = {
    { "activation", build, reference, OP_CASES(cases), timed },
    { 0 },
};

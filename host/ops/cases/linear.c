/* linear.c -- linear layers with bias, activation and residual.
 * ints[0]: an activation, or ADD; ints[1]: with bias; ints[2]: the result's type, see below.  The residual is
 * the last input.
 * SPDX-License-Identifier: MIT */
#include "host/ops/cases/op_case.h"

enum { PLAIN = ACTIVATION_IDENTITY, RELU = ACTIVATION_RELU, GELU = ACTIVATION_GELU, ADD = ACTIVATION_COUNT };

enum { AS_X, AS_FLOAT, AS_WEIGHT };

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *bias = c->ints[1] ? in[2] : NULL;
    if (c->ints[2] != AS_X) {
        dtype type = c->ints[2] == AS_FLOAT ? DTYPE_F32 : in[1]->type;
        out[0] = op_linear_to(in[0], in[1], bias, (activation)c->ints[0], type);
        CHECK(out[0]->poison || out[0]->type == type, "linear as %s", dtype_name(type));
        return;
    }
    out[0] = c->ints[0] == ADD     ? op_linear_add(in[0], in[1], bias, in[c->ints[1] ? 3 : 2])
             : c->ints[0] == PLAIN ? op_linear(in[0], in[1], bias)
             : c->ints[0] == RELU  ? op_linear_relu(in[0], in[1], bias)
             : c->ints[0] == GELU  ? op_linear_gelu(in[0], in[1], bias)
                                   : op_linear_activation(in[0], in[1], bias, (activation)c->ints[0]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    int64_t n = in[1].dim[0], k = in[1].dim[1];
    for (int64_t r = out[0].from; r < out[0].to; ++r)
        for (int64_t j = 0; j < n; ++j) {
            double z = c->ints[1] ? in[2].v[j] : 0;
            for (int64_t i = 0; i < k; ++i) z += in[0].v[r * k + i] * in[1].v[j * k + i];
            if (c->ints[0] < ADD) z = activation_value((activation)c->ints[0], z);
            if (c->ints[0] == ADD) z += in[c->ints[1] ? 3 : 2].v[r * n + j];
            out[0].v[r * n + j] = z;
        }
}

/* x + W2 f(W1 x), and W3 (relu(x) + q): the products behind their gradients take in f's slope and the other
 * contributions, but not ReLU's, as q's gradient is the same tensor.  ints[0]: f. */
static void build_block(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *wide = op_linear_activation(in[0], in[1], NULL, (activation)c->ints[0]);
    out[0] = op_linear_add(wide, in[2], NULL, in[0]);
    out[1] = op_linear(op_add(op_relu(in[0]), in[4]), in[3], NULL);
}

static void reference_block(const op_case *c, const op_array *in, op_array *out)
{
    int64_t k = in[0].last, wide = in[1].dim[0], n = in[3].dim[0];
    for (int64_t r = 0; r < in[0].rows; ++r) {
        const double *x = in[0].v + r * k, *q = in[4].v + r * k;
        for (int64_t i = 0; i < k; ++i) out[0].v[r * k + i] = x[i];
        for (int64_t j = 0; j < wide; ++j) {
            double z = 0;
            for (int64_t i = 0; i < k; ++i) z += x[i] * in[1].v[j * k + i];
            for (int64_t i = 0; i < k; ++i)
                out[0].v[r * k + i] += in[2].v[i * wide + j] * activation_value((activation)c->ints[0], z);
        }
        for (int64_t j = 0; j < n; ++j)
            for (int64_t i = 0; i < k; ++i)
                out[1].v[r * n + j] += ((x[i] > 0 ? x[i] : 0) + q[i]) * in[3].v[j * k + i];
    }
}

#define X(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ } \
    }
#define CONST(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ }, .role = OP_FIXED \
    }
static const op_case cases[] = {
    { .name = "plain", .in = { X(3, 3, 5, 13), X(2, 7, 13), X(1, 7) }, .ints = { PLAIN, 1 } },
    { .name = "no bias", .in = { X(2, 6, 13), X(2, 7, 13) }, .ints = { PLAIN, 0 } },
    { .name = "one axis", .in = { X(1, 13), X(2, 7, 13), X(1, 7) }, .ints = { PLAIN, 1 } },
    { .name = "float bias",
      .in = { X(2, 5, 16), X(2, 8, 16), { .rank = 1, .dim = { 8 }, .role = OP_FLOAT } },
      .ints = { PLAIN, 1 } },
    { .name = "float result",
      .in = { X(2, 5, 16), X(2, 8, 16), { .rank = 1, .dim = { 8 }, .role = OP_FLOAT } },
      .ints = { PLAIN, 1, AS_FLOAT } },
    { .name = "float input",
      .in = { { .rank = 2, .dim = { 5, 16 }, .role = OP_FLOAT }, X(2, 8, 16), X(1, 8) },
      .ints = { GELU, 1, AS_WEIGHT },
      .tol16 = 2 },
    { .name = "relu", .in = { X(2, 5, 13), X(2, 7, 13), X(1, 7) }, .ints = { RELU, 1 }, .tol16 = 2 },
    { .name = "gelu", .in = { X(3, 2, 5, 13), X(2, 7, 13), X(1, 7) }, .ints = { GELU, 1 }, .tol16 = 2 },
    { .name = "gelu_tanh",
      .large = true,
      .f32_only = true,
      .in = { X(2, 5, 13), X(2, 7, 13), X(1, 7) },
      .ints = { ACTIVATION_GELU_TANH, 1 },
      .tol16 = 2 },
    { .name = "quick_gelu",
      .large = true,
      .f32_only = true,
      .in = { X(2, 5, 13), X(2, 19, 13) },
      .ints = { ACTIVATION_QUICK_GELU },
      .tol16 = 2 },
    { .name = "silu",
      .f32_only = true,
      .in = { X(2, 9, 13), X(2, 32, 13), X(1, 32) },
      .ints = { ACTIVATION_SILU, 1 },
      .tol16 = 2 },
    { .name = "residual", .in = { X(3, 3, 5, 13), X(2, 7, 13), X(1, 7), X(3, 3, 5, 7) }, .ints = { ADD, 1 } },
    { .name = "residual, no bias", .in = { X(2, 19, 16), X(2, 33, 16), X(2, 19, 33) }, .ints = { ADD, 0 } },
    { .name = "another residual",
      .in = { X(2, 5, 13), X(2, 7, 13), X(2, 7, 5) },
      .ints = { ADD, 0 },
      .fails = "residual F32 [7,5] does not fit result F32 [5,7]" },
    { .name = "gelu forward only",
      .in = { CONST(2, 5, 13), CONST(2, 7, 13), CONST(1, 7) },
      .ints = { GELU, 1 } },
    { .name = "larger",
      .in = { X(2, 67, 70), X(2, 65, 70), X(1, 65) },
      .ints = { GELU, 1 },
      .tol16 = 2,
      .large = true },
    { .name = "weight",
      .in = { X(2, 5, 13), X(2, 13, 7) },
      .fails = "input [5,13] does not fit weight [13,7]" },
    { .name = "bias", .in = { X(2, 5, 13), X(2, 7, 13), X(1, 8) }, .ints = { 0, 1 }, .fails = "bias [8]" },
};

static const op_case blocks[] = {
    { .name = "block",
      .in = { X(3, 2, 9, 13), X(2, 21, 13), X(2, 13, 21), X(2, 7, 13), X(3, 2, 9, 13) },
      .ints = { GELU },
      .kinks = { 0 },
      .kink_count = 1,
      .tol16 = 2 },
    { .name = "silu block",
      .large = true,
      .f32_only = true,
      .in = { X(3, 2, 9, 13), X(2, 21, 13), X(2, 13, 21), X(2, 7, 13), X(3, 2, 9, 13) },
      .ints = { ACTIVATION_SILU },
      .kinks = { 0 },
      .kink_count = 1,
      .tol16 = 2 },
};

static void make(op_case *c, const int64_t *size)
{
    c->in[0] = op_case_in(2, (int64_t[]){ size[0], size[2] });
    c->in[1] = op_case_in(2, (int64_t[]){ size[1], size[2] });
    c->in[2] = op_case_in(1, &size[1]);
    c->ints[1] = 1;
}

static const op_timed timed[] = {
    { "linear", "MxNxK", "2560x512x512", make, PLAIN },
    { "linear_relu", "MxNxK", NULL, make, RELU },
    { "linear_gelu", "MxNxK", "2560x2048x512", make, GELU },
    { 0 },
};

const op_test linear_tests[] = {
    { "linear", build, reference, OP_CASES(cases), timed },
    { "linear block", build_block, reference_block, OP_CASES(blocks) },
    { 0 },
};

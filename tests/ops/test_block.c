/* test_block.c -- the ends of a residual block: x + gelu(x) with the branch in any type, whose scale leaves
 * the gradient as it is; what of a gradient underflows without the scale and what does not with it; and that
 * what is not finite stays within the block.  ints[0]: the branch's type.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    tensor *h = op_block_begin(in[0], in[1], (dtype)c->ints[0]);
    CHECK(h->poison || h->type == (dtype)c->ints[0], "a block in %s", dtype_name(h->type));
    out[0] = op_block_end(in[0], op_gelu(h), in[1]);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    for (int64_t i = 0; i < out[0].count; ++i)
        out[0].v[i] = in[0].v[i] + activation_value(ACTIVATION_GELU, in[0].v[i]);
}

#define CASE(name_, type, low_, high_) \
    { \
        .name = name_, .in = { { .rank = 3, .dim = { 2, 5, 7 } }, { 1, { 1 }, OP_CONTROL, low_, high_ } }, \
        .ints = { \
            type \
        } \
    }
static const op_case cases[] = {
    CASE("as it is", DTYPE_F32, 1, 2),
    { .name = "f16",
      .in = { { .rank = 3, .dim = { 2, 5, 7 } }, { 1, { 1 }, OP_CONTROL, 100, 2000 } },
      .ints = { DTYPE_F16 },
      .tol = 2e-3 },
    { .name = "bf16",
      .in = { { .rank = 2, .dim = { 3, 33 } }, { 1, { 1 }, OP_CONTROL, 100, 2000 } },
      .ints = { DTYPE_BF16 },
      .tol = 2e-2 },
    { .name = "scales",
      .in = { { .rank = 1, .dim = { 4 } }, { 1, { 2 }, OP_CONTROL } },
      .ints = { DTYPE_F16 },
      .fails = "must be [1], not [2]" },
};

enum { COUNT = 19 };

typedef struct fixture {
    rig rig;
    tensor *scale, *x, *weights, *gradient;
} fixture;

/* y = x + block(x), its gradient times the weights; in the block nothing but the two ends. */
static fixture open(int shape)
{
    const parameter_spec spec = {
        .kind = STORE_PARAMETER, .type = DTYPE_F32, .init = STORE_NORMAL, .deviation = 1
    };
    fixture f = { .rig = rig_open(shape) };
    f.scale = rig_input(&f.rig, "scale", DTYPE_F32, RIG_DIM(1));
    f.weights = rig_input(&f.rig, "weights", DTYPE_F32, RIG_DIM(COUNT));
    f.x = graph_parameter(f.rig.graph, "x", spec, RIG_DIM(COUNT));
    tensor *y = op_block_end(f.x, op_block_begin(f.x, f.scale, DTYPE_F16), f.scale);
    graph_backward(f.rig.graph, op_sum_all(op_mul(y, f.weights)));
    f.gradient = graph_gradient(f.rig.graph, f.x);
    graph_keep(f.gradient);
    rig_compile(&f.rig);
    return f;
}

static int check(int shape, float scale, float weight, float wanted, const char *what)
{
    float weights[COUNT], got[COUNT];
    int wrong = 0;
    fixture f = open(shape);
    for (int i = 0; i < COUNT; ++i) weights[i] = weight;
    rig_write(f.scale, &scale);
    rig_write(f.weights, weights);
    rig_run(&f.rig);
    rig_read(f.gradient, got);
    for (int i = 0; i < COUNT; ++i) wrong += !(fabsf(got[i] - wanted) <= 1e-3f * fabsf(wanted));
    if (wrong) fprintf(stderr, "block: %s: %g, not %g\n", what, (double)got[0], (double)wanted);
    rig_close(&f.rig);
    return wrong != 0;
}

int main(void)
{
    int wrong = 0;
    for (int shape = 0; shape < RIG_SHAPES; ++shape) {
        wrong += check(shape, 1.0f, 1e-8f, 1e-8f, "without a scale the branch's gradient is 0");
        wrong += check(shape, 8192.0f, 1e-8f, 2e-8f, "with a scale it is kept");
        wrong += check(shape, 8192.0f, 100.0f, 100.0f, "what overflows stays within the block");
        wrong += check(shape, 1448.1547f, 0.25f, 0.5f, "a scale that is no power of two");
    }
    int status = op_check_main(&(op_test){ "block", build, reference, OP_CASES(cases) });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

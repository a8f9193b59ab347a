/* test_golden_block.c -- a residual block in half precision on an identity path of F32, and its gradients
 * with a scale of their own, against PyTorch with the same roundings; of two sets of gradients one
 * overflows in a row.
 * SPDX-License-Identifier: MIT */
#define GOLDEN_TOLERANCE 2e-3 /* the same sums are rounded to 11 bits, a few to a neighbour */
#include "host/nn/nn.h"
#include "tests/models/golden.h"

enum { SIZE = 16, WIDE = 40 };

typedef struct fixture {
    tensor *x, *scale, *dy, *y;
} fixture;

/* y = x + down(gelu(up(norm(x)))), whose gradient is dy. */
static fixture build(golden *k)
{
    graph *g = k->graph;
    graph_set_half(g, DTYPE_F16);
    fixture f = { .scale = golden_input(k, "scale"), .dy = golden_input(k, "small") };
    const parameter_spec spec = { .kind = STORE_PARAMETER, .type = DTYPE_F32, .init = STORE_ZEROS };
    f.x = graph_parameter(g, "x", spec, 2, (int64_t[]){ f.dy->dim[0], SIZE });
    norm_weights norm = nn_norm_weights(g, "norm", SIZE);
    linear_weights up = nn_linear_weights(g, "up", SIZE, WIDE, true, 0.1f),
                   down = nn_linear_weights(g, "down", WIDE, SIZE, true, 0.1f);
    tensor *h = nn_norm(&norm, op_block_begin(f.x, f.scale, DTYPE_F16));
    h = op_linear_gelu(h, up.weight, up.bias);
    f.y = op_block_end(f.x, nn_linear(&down, h), f.scale);
    graph_backward(g, op_sum_all(op_mul(f.y, f.dy)));
    return f;
}

static void check(golden *k, const char *gradients, const char *dx, bool weights)
{
    golden_open(k, "block");
    fixture f = build(k);
    golden_gradients kept;
    golden_keep_gradients(k, &kept);
    tensor *gradient = graph_gradient(k->graph, f.x);
    graph_keep(gradient);
    graph_keep(f.y);
    OK(graph_compile(k->graph, 1, NULL, &golden_error));
    static const char *const names[] = { "norm.gain", "norm.bias",   "up.weight",
                                         "up.bias",   "down.weight", "down.bias" };
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        OK(store_write(k->store, store_find(k->store, names[i]), golden_find(k, "", names[i])->data,
                       &golden_error));
    OK(store_write(k->store, store_find(k->store, "x"), golden_find(k, "in.", "x")->data, &golden_error));
    golden_write(k, f.scale, "scale");
    golden_write(k, f.dy, gradients);
    OK(graph_run(k->graph, &golden_error));
    golden_check(k, "out.", "y", f.y);
    golden_check(k, "out.", dx, gradient);
    if (weights) golden_check_gradients(k, &kept);
    golden_close(k);
}

static void test_scaled(void **state)
{
    check(*state, "small", "dx_small", true);
}

static void test_overflow(void **state)
{
    check(*state, "large", "dx_large", false);
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_scaled, &k),
        cmocka_unit_test_prestate(test_overflow, &k),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

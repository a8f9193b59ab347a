/* test_golden_adamw.c -- five AdamW steps with clipping, decay and averages against PyTorch.
 * SPDX-License-Identifier: MIT */
#include "host/train/optimizer.h"
#include "tests/models/golden.h"

enum { STEPS = 5 };

static void check_entry(golden *k, const char *prefix, const char *name)
{
    char entry[64];
    snprintf(entry, sizeof entry, "%s%s", prefix, name);
    const store_entry *e = store_find(k->store, entry);
    if (!e) fail_msg("no entry '%s'", entry);
    float values[64];
    assert_true(e->count <= 64);
    OK(store_read_f32(k->store, e, values, &golden_error));
    golden_compare(k, "out.", entry, values, e->count);
}

static void test_five_steps(void **state)
{
    golden *k = *state;
    golden_open(k, "adamw");
    graph *g = k->graph;
    tensor *factors = graph_input(g, "factors", DTYPE_F32, 2, (int64_t[]){ 7, 5 });
    tensor *slopes = graph_input(g, "slopes", DTYPE_F32, 1, (int64_t[]){ 5 });
    parameter_spec weight = { STORE_PARAMETER, DTYPE_F32, STORE_ZEROS, 0, true }, bias = weight;
    bias.decay = false;
    tensor *a = graph_parameter(g, "a.weight", weight, 2, (int64_t[]){ 7, 5 });
    tensor *b = graph_parameter(g, "a.bias", bias, 1, (int64_t[]){ 5 });
    tensor *loss = op_add(op_sum_all(op_mul(factors, op_square(a))), op_sum_all(op_mul(slopes, op_exp(b))));
    graph_backward(g, loss);
    optimizer *o = optimizer_append(
        g, loss,
        &(optimizer_settings){
            .beta1 = 0.9f, .beta2 = 0.96f, .epsilon = 1e-8f, .decay = 4.5e-2f, .clip = 4, .ema = true });
    OK(graph_compile(g, 1, NULL, &golden_error));
    for (int i = 0; i < store_count(k->store); ++i) {
        store_entry *e = store_at(k->store, i);
        if (e->kind != STORE_PARAMETER) continue;
        OK(store_write(k->store, e, golden_find(k, "", e->name)->data, &golden_error));
    }
    const float *all_factors = golden_find(k, "in.", "factors")->data,
                *all_slopes = golden_find(k, "in.", "slopes")->data,
                *rates = golden_find(k, "in.", "rates")->data;
    float norms[STEPS];
    bool clipped = false, unclipped = false;
    for (int step = 0; step < STEPS; ++step) {
        OK(graph_write(factors, all_factors + step * 35, &golden_error));
        OK(graph_write(slopes, all_slopes + step * 5, &golden_error));
        OK(optimizer_schedule(o, step, (double)rates[step], 0.5, &golden_error));
        OK(graph_run(g, &golden_error));
        float status[4];
        OK(graph_read(optimizer_status(o), status, &golden_error));
        norms[step] = status[1];
        clipped |= status[0] < 1;
        unclipped |= status[0] == 1;
    }
    assert_true(clipped && unclipped);
    golden_compare(k, "out.", "norms", norms, STEPS);
    static const char *const prefixes[] = { "", "adam.mean.", "adam.variance.", "ema." };
    for (int i = 0; i < 4; ++i) {
        check_entry(k, prefixes[i], "a.weight");
        check_entry(k, prefixes[i], "a.bias");
    }
    golden_close(k);
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = { cmocka_unit_test_prestate(test_five_steps, &k) };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

/* test_prior.c -- which layer has which mask, the loss's weights, and a small prior that learns pictures
 * by heart and redraws them from their captions.
 * SPDX-License-Identifier: MIT */
#include "tests/models/small_prior.h"
#include "tests/support/device_or_skip.h"

static device *hardware;

/* B.1: row, column, row, row, repeated; the last layer convolution. */
static void test_layer_order(void **state)
{
    (void)state;
    static const char *const order[] = { "row", "column", "row", "row" };
    for (int64_t layers = 1; layers <= 64; layers += 7) {
        prior_config c = small_config((const char *const[]){ "window=3", NULL });
        c.layers = layers;
        for (int64_t i = 1; i <= layers; ++i) {
            mask m = prior_mask(&c, &small_shape, i);
            assert_string_equal(mask_kind_name(m.kind), i == layers ? "conv" : order[(i - 1) % 4]);
            assert_int_equal(m.text, TEXT);
            assert_int_equal(m.side, SIDE);
            assert_int_equal(m.window, 3);
        }
        memcpy(c.attention, "full", 5);
        assert_int_equal(prior_mask(&c, &small_shape, layers).kind, MASK_CAUSAL);
    }
}

/* The loss is 1/8 text and 7/8 image; untrained, image tokens cost about ln K. */
static void test_loss(void **state)
{
    (void)state;
    float l[3];
    prior_config c = small_config((const char *const[]){ "initial_deviation=0.02", NULL });
    small_trainer t = small_trainer_open(hardware, &c, 4);
    small_trainer_step(&t, 0, 0.0, l);
    assert_float_equal(l[0], 0.125f * l[1] + 0.875f * l[2], 1e-5f);
    assert_float_equal(l[1], logf(VOCABULARY), 0.1f);
    assert_float_equal(l[2], logf(CODES), 0.1f);
    small_trainer_close(&t);
}

static void test_recompute(void **state)
{
    (void)state;
    float l[2][3][3];
    graph_plan_info plan[2];
    for (int again = 0; again < 2; ++again) {
        prior_config c = small_config(
            (const char *const[]){ again ? "recompute=yes" : "recompute=no", "dropout=0.1", NULL });
        small_trainer t = small_trainer_open(hardware, &c, 4);
        for (int i = 0; i < 3; ++i) small_trainer_step(&t, i, 1e-3, l[again][i]);
        assert_true(graph_info(t.graph, &plan[again]));
        small_trainer_close(&t);
    }
    assert_memory_equal(l[0], l[1], sizeof l[0]);
    assert_true(plan[1].work_bytes < plan[0].work_bytes);
}

static void learn(const char *const *sets)
{
    enum { PICTURES = 6 };
    error err;
    float l[3];
    prior_config c = small_config(sets);
    small_trainer t = small_trainer_open(hardware, &c, PICTURES);
    for (int i = 0; i < 120; ++i) small_trainer_step(&t, i, 3e-3, l);
    if (!(l[2] < 0.05f)) fail_msg("image loss %g after 120 steps", (double)l[2]);
    prior_sampler *p = prior_sampler_create(t.store, &c, &small_shape, 1, false, &err);
    if (!p) fail_msg("%s", err.message);
    for (int i = 0; i < PICTURES; ++i) {
        int32_t text[TEXT], real[TOKENS], drawn[TOKENS];
        small_text(i, text);
        small_image(i, real);
        prior_draw d = { .text = text, .seed = 9, .count = 1, .temperature = 0, .top_p = 1, .guidance = 1 };
        if (!prior_sampler_draw(p, &d, drawn, &err)) fail_msg("%s", err.message);
        assert_memory_equal(drawn, real, sizeof real);
    }
    prior_sampler_destroy(p);
    small_trainer_close(&t);
}

static void test_learns_sparse(void **state)
{
    (void)state;
    learn((const char *const[]){ "initial_deviation=0.05", NULL });
}

static void test_learns_full_tied(void **state)
{
    (void)state;
    learn((const char *const[]){ "initial_deviation=0.05", "attention=full", "tie_embeddings=yes", NULL });
}

static void test_configurations(void **state)
{
    (void)state;
    error err;
    prior_config c = small_config((const char *const[]){ NULL });
    c.heads = 5;
    assert_false(prior_config_check(&c, &small_shape, &err));
    assert_int_equal(error_exit_status(&err), 2);
    c = small_config((const char *const[]){ NULL });
    c.window = 4;
    assert_false(prior_config_check(&c, &small_shape, &err));
    assert_says(&err, "window");
}

int main(void)
{
    hardware = device_or_skip();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layer_order),      cmocka_unit_test(test_loss),
        cmocka_unit_test(test_recompute),        cmocka_unit_test(test_learns_sparse),
        cmocka_unit_test(test_learns_full_tied), cmocka_unit_test(test_configurations),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(hardware);
    return failed;
}

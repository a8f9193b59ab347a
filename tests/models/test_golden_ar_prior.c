/* test_golden_ar_prior.c -- the autoregressive prior's network, loss, gradients and one update against
 * PyTorch, in one pass and component by component; principal components and buckets against numpy; the
 * parameter count of the published sizes.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/ar_prior_codes.h"
#include "models/ar_prior/ar_prior_sampler.h"
#include "models/ar_prior/ar_prior_step.h"
#include "models/ar_prior/pca.h"
#include "models/request.h"
#include "tests/models/golden.h"

enum { BATCH = 3, TEXT = 4, ROWS = 9, DIMENSIONS = 5, BUCKETS = 7, EMBEDDING = 6 };
#define RATE 1e-2

static const ar_prior_shape shape = { .embedding = EMBEDDING };

static ar_prior_config small_config(void)
{
    ar_prior_config c;
    config_defaults(&ar_prior_config_table, &c);
    c.text_tokens = TEXT;
    c.text_vocabulary = ROWS;
    c.text_width = 8;
    c.text_heads = 2;
    c.text_layers = 1;
    c.dimensions = DIMENSIONS;
    c.buckets = BUCKETS;
    c.near_buckets = 4;
    c.size = 12;
    c.heads = 3;
    c.layers = 2;
    c.batch = BATCH;
    c.clip = 0;
    c.adam_epsilon = 1e-4; /* so that what rounding makes of the smallest gradients does not show */
    return c;
}

static void test_network(void **state)
{
    golden *k = *state;
    golden_open(k, "ar_prior");
    const ar_prior_config c = small_config();
    tensor *text = golden_input(k, "text"), *caption = golden_input(k, "caption"),
           *read = golden_input(k, "read");
    ar_prior_weights w = ar_prior_declare(k->graph, &c, &shape);
    tensor *logits = ar_prior_logits(k->graph, &c, &w, text, caption, read, NULL);
    graph_keep(logits);
    golden_compile(k);
    golden_write(k, text, "text");
    golden_write(k, caption, "caption");
    golden_write(k, read, "read");
    OK(graph_run(k->graph, &golden_error));
    golden_check(k, "out.", "logits", logits);
    golden_close(k);
}

static void test_component_by_component(void **state)
{
    golden *k = *state;
    golden_open(k, "ar_prior");
    graph_destroy(k->graph);
    k->graph = NULL;
    const ar_prior_config c = small_config();
    float logits[BATCH * DIMENSIONS * BUCKETS];
    const int32_t *text = golden_find(k, "in.", "text")->data, *read = golden_find(k, "in.", "read")->data;
    const float *caption = golden_find(k, "in.", "caption")->data;
    ar_prior_sampler *p = ar_prior_sampler_create(k->store, &c, &shape, false, &golden_error);
    OK(p && checkpoint_import(k->store, k->path, true, NULL, &golden_error));
    for (int i = 0; i < BATCH; ++i)
        OK(ar_prior_sampler_logits(p, text + i * TEXT, caption + i * EMBEDDING, read + i * DIMENSIONS,
                                   logits + i * DIMENSIONS * BUCKETS, &golden_error));
    golden_compare(k, "out.", "logits", logits, BATCH * DIMENSIONS * BUCKETS);
    ar_prior_sampler_destroy(p);
    golden_close(k);
}

static void check_step(golden *k, const char *set)
{
    golden_open(k, "ar_prior");
    graph_destroy(k->graph);
    ar_prior_config c = small_config();
    ar_prior_step s = { 0 };
    golden_gradients gradients;
    const int32_t random[4] = { 1, 0, 0, 0 };
    OK(config_assign(&ar_prior_config_table, &c, set, "--set", &golden_error));
    OK(ar_prior_step_build(&s, k->store, &c, &shape, &golden_error));
    k->graph = s.graph;
    golden_keep_gradients(k, &gradients);
    golden_compile(k);
    golden_write(k, s.text, "text");
    golden_write(k, s.caption, "caption");
    golden_write(k, s.read, "read");
    golden_write(k, s.targets, "targets");
    OK(graph_write(s.random, random, &golden_error));
    OK(optimizer_schedule(s.optimizer, 0, RATE, 1, &golden_error) && graph_run(s.graph, &golden_error));
    golden_check(k, "out.", "loss", s.loss);
    golden_check_gradients(k, &gradients);
    for (int i = 0; i < gradients.count; ++i) golden_check_after(k, gradients.name[i]);
    golden_close(k);
}

static void test_loss_gradients_and_update(void **state)
{
    check_step(*state, "recompute=no");
    check_step(*state, "recompute=yes");
}

/* ---- Components and buckets ---- */

enum { COUNT = 60, NUMBERS = 10, KEPT = 6, EIGHT = 8 };

static void test_principal_components(void **state)
{
    golden *k = *state;
    golden_open(k, "pca");
    const float *x = golden_find(k, "in.", "x")->data;
    float mean[NUMBERS], components[KEPT * NUMBERS], projected[COUNT * KEPT], restored[COUNT * NUMBERS],
        varied[NUMBERS];
    double variances[NUMBERS];
    OK(pca_fit(k->device, x, COUNT, NUMBERS, KEPT, mean, components, variances, &golden_error));
    for (int i = 0; i < NUMBERS; ++i) varied[i] = (float)variances[i];
    for (int i = 0; i < COUNT; ++i) {
        pca_project(mean, components, NUMBERS, KEPT, x + i * NUMBERS, projected + i * KEPT);
        pca_restore(mean, components, NUMBERS, KEPT, projected + i * KEPT, restored + i * NUMBERS);
    }
    golden_compare(k, "out.", "mean", mean, NUMBERS);
    golden_compare(k, "out.", "variances", varied, NUMBERS);
    golden_compare(k, "out.", "components", components, KEPT * NUMBERS);
    golden_compare(k, "out.", "projected", projected, COUNT * KEPT);
    golden_compare(k, "out.", "restored", restored, COUNT * NUMBERS);
    golden_close(k);
}

static double distance(const float *a, const float *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; ++i) sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum);
}

/* The farthest that an embedding is from what its buckets stand for. */
static double farthest(const ar_prior_codes *codes, const float *x)
{
    double worst = 0;
    for (int i = 0; i < COUNT; ++i) {
        int32_t buckets[NUMBERS], again[NUMBERS];
        float made[NUMBERS];
        ar_prior_codes_encode(codes, x + i * NUMBERS, buckets);
        ar_prior_codes_decode(codes, buckets, made);
        double far = distance(made, x + i * NUMBERS, NUMBERS);
        if (far > worst) worst = far;
        float zero[NUMBERS] = { 0 };
        assert_true(fabs(distance(made, zero, NUMBERS) - 1) < 1e-6);
        ar_prior_codes_encode(codes, x + i * NUMBERS, again);
        assert_memory_equal(again, buckets, (size_t)codes->config.dimensions * sizeof *buckets);
    }
    return worst;
}

static ar_prior_codes *fitted(golden *k, const char *edges, int64_t dimensions, int64_t buckets)
{
    const float *x = golden_find(k, "in.", "x")->data;
    const ar_prior_shape numbers = { .embedding = NUMBERS };
    ar_prior_config c = small_config();
    float near[COUNT];
    OK(config_assign(&ar_prior_config_table, &c, edges, "--set", &golden_error));
    c.dimensions = dimensions;
    c.buckets = buckets;
    for (int i = 0; i < COUNT; ++i) near[i] = (float)i / COUNT;
    ar_prior_codes *codes = ar_prior_codes_create(&c, &numbers, &golden_error);
    OK(codes && ar_prior_codes_fit(codes, k->device, x, near, COUNT, &golden_error));
    return codes;
}

static void test_buckets(void **state)
{
    golden *k = *state;
    golden_open(k, "pca");
    const float *x = golden_find(k, "in.", "x")->data;
    ar_prior_codes *even = fitted(k, "edges=uniform", KEPT, EIGHT),
                   *share = fitted(k, "edges=quantile", KEPT, EIGHT),
                   *fine = fitted(k, "edges=uniform", NUMBERS, 4096);
    golden_compare(k, "out.", "even", even->edges, KEPT * (EIGHT + 1));
    golden_compare(k, "out.", "share", share->edges, KEPT * (EIGHT + 1));
    assert_true(even->variance_kept > 0.9 && even->variance_kept < 1 && fine->variance_kept > 0.999999);
    /* All components in many buckets lose hardly anything, few in few more, but not all. */
    assert_true(farthest(fine, x) < 2e-3);
    assert_in_range((int)(1000 * farthest(even, x)), 3, 400);
    assert_in_range((int)(1000 * farthest(share, x)), 3, 700);
    /* As many pictures in each bucket of equal shares. */
    int held[EIGHT] = { 0 };
    for (int i = 0; i < COUNT; ++i) {
        int32_t buckets[KEPT];
        ar_prior_codes_encode(share, x + i * NUMBERS, buckets);
        ++held[buckets[0]];
    }
    for (int b = 0; b < EIGHT; ++b) assert_in_range(held[b], COUNT / EIGHT - 1, COUNT / EIGHT + 1);
    ar_prior_codes_destroy(even);
    ar_prior_codes_destroy(share);
    ar_prior_codes_destroy(fine);
    golden_close(k);
}

/* Of 60 evenly spread, in 4 buckets, 15 each. */
static void test_nearness(void **state)
{
    golden *k = *state;
    golden_open(k, "pca");
    ar_prior_codes *codes = fitted(k, "edges=uniform", KEPT, EIGHT);
    int drawn[2][4] = { { 0 } };
    assert_int_equal(ar_prior_codes_near(codes, -1), 0);
    assert_int_equal(ar_prior_codes_near(codes, 0.3f), 1);
    assert_int_equal(ar_prior_codes_near(codes, 2), 3);
    for (int i = 0; i < 400; ++i) {
        ++drawn[0][ar_prior_codes_draw_near(codes, 1, 3, i)];
        ++drawn[1][ar_prior_codes_draw_near(codes, 0.5, 3, i)];
        assert_int_equal(ar_prior_codes_draw_near(codes, 0, 3, i), 3);
        assert_int_equal(ar_prior_codes_draw_near(codes, 1, 3, i), ar_prior_codes_draw_near(codes, 1, 3, i));
    }
    for (int b = 0; b < 4; ++b) {
        assert_in_range(drawn[0][b], 70, 130);
        if (b < 2) assert_int_equal(drawn[1][b], 0);
        if (b > 1) assert_in_range(drawn[1][b], 160, 240);
    }
    ar_prior_codes_destroy(codes);
    golden_close(k);
}

static void test_what_has_no_components(void **state)
{
    golden *k = *state;
    float x[2] = { 1, 2 }, mean[2], components[4];
    assert_false(pca_fit(k->device, x, 1, 2, 1, mean, components, NULL, &golden_error));
    assert_int_equal(golden_error.code, ERROR_USAGE);
    ar_prior_config c = small_config();
    c.dimensions = EMBEDDING + 1;
    assert_false(ar_prior_config_check(&c, &shape, &golden_error));
    assert_non_null(strstr(golden_error.message, "use dimensions=6 or fewer"));
    /* Pictures that are all alike still have buckets. */
    float alike[4 * EMBEDDING] = { 0 }, near[4] = { 0.5f, 0.5f, 0.5f, 0.5f }, made[EMBEDDING];
    int32_t buckets[DIMENSIONS];
    c = small_config();
    for (int i = 0; i < 4; ++i) alike[i * EMBEDDING] = 1;
    ar_prior_codes *codes = ar_prior_codes_create(&c, &shape, &golden_error);
    OK(codes && ar_prior_codes_fit(codes, k->device, alike, near, 4, &golden_error));
    ar_prior_codes_encode(codes, alike, buckets);
    ar_prior_codes_decode(codes, buckets, made);
    assert_true(distance(made, alike, EMBEDDING) < 1e-5);
    ar_prior_codes_destroy(codes);
}

/* Planned only: nothing of the published sizes is allocated. */
static void test_published_parameter_count(void **state)
{
    golden *k = *state;
    const ar_prior_shape published = { .embedding = 1024 };
    ar_prior_config c;
    config_defaults(&ar_prior_config_table, &c);
    OK(preset_read(&ar_prior_config_table, "paper", &c, &golden_error));
    OK(ar_prior_config_check(&c, &published, &golden_error));
    OK(k->store = store_create(k->device, &golden_error));
    OK(k->graph = graph_create(k->store, &golden_error));
    ar_prior_declare(k->graph, &c, &published);
    OK(graph_sound(k->graph, &golden_error));
    assert_int_equal(store_elements(k->store, STORE_PARAMETER), 2119990400);
    graph_destroy(k->graph);
    store_destroy(k->store);
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_network, &k),
        cmocka_unit_test_prestate(test_component_by_component, &k),
        cmocka_unit_test_prestate(test_loss_gradients_and_update, &k),
        cmocka_unit_test_prestate(test_principal_components, &k),
        cmocka_unit_test_prestate(test_buckets, &k),
        cmocka_unit_test_prestate(test_nearness, &k),
        cmocka_unit_test_prestate(test_what_has_no_components, &k),
        cmocka_unit_test_prestate(test_published_parameter_count, &k),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

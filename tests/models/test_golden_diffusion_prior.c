/* test_golden_diffusion_prior.c -- the diffusion prior's network, loss, gradients and one update against
 * PyTorch; the parameter counts of the published sizes.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/diffusion_prior_step.h"
#include "models/request.h"
#include "tests/models/golden.h"

enum { BATCH = 3, TEXT = 5, ROWS = 9, SIZE = 12, EMBEDDING = 6, STEP = 4, SEED = 7 };
#define RATE 1e-2

static diffusion_prior_config small_config(void)
{
    diffusion_prior_config c;
    config_defaults(&diffusion_prior_config_table, &c);
    c.layers = 2;
    c.size = SIZE;
    c.heads = 3;
    c.text_tokens = TEXT;
    c.text_vocabulary = ROWS;
    c.noise_steps = 50;
    c.embedding_scale = 2.5;
    c.batch = BATCH;
    c.adam_epsilon = 1e-4; /* so that what rounding makes of the smallest gradients does not show */
    c.seed = SEED;
    snprintf(c.spacing, sizeof c.spacing, "10");
    return c;
}

static void test_network(void **state)
{
    golden *k = *state;
    golden_open(k, "diffusion_prior");
    const diffusion_prior_config c = small_config();
    tensor *x = golden_input(k, "x"), *time = golden_input(k, "time");
    diffusion_prior_condition in = diffusion_prior_condition_input(k->graph, &c, BATCH, EMBEDDING);
    diffusion_prior_weights w = diffusion_prior_declare(k->graph, &c, EMBEDDING);
    tensor *said = diffusion_prior_predict(k->graph, &c, &w, &in, x, time, NULL);
    graph_keep(said);
    golden_compile(k);
    golden_write(k, x, "x");
    golden_write(k, time, "time");
    golden_write(k, in.tokens, "tokens");
    golden_write(k, in.caption, "caption");
    OK(graph_run(k->graph, &golden_error));
    golden_check(k, "out.", "said", said);
    golden_close(k);
}

/* The same by what drawing uses: the caption's rows first, what is left then. */
static void test_network_in_two(void **state)
{
    golden *k = *state;
    golden_open(k, "diffusion_prior");
    const diffusion_prior_config c = small_config();
    store *memory = store_create(k->device, &golden_error);
    graph *reader = graph_create(k->store, &golden_error);
    assert_true(memory && reader);
    diffusion_prior_condition in = diffusion_prior_condition_input(reader, &c, BATCH, EMBEDDING);
    diffusion_prior_weights w = diffusion_prior_declare(reader, &c, EMBEDDING);
    diffusion_prior_read(reader, &c, &w, &in, memory);
    OK(store_allocate(memory, 0, &golden_error) && graph_compile(reader, 1, NULL, &golden_error));
    tensor *x = golden_input(k, "x"), *time = golden_input(k, "time");
    w = diffusion_prior_declare(k->graph, &c, EMBEDDING);
    tensor *said = diffusion_prior_say(k->graph, &c, &w, memory, x, time);
    graph_keep(said);
    golden_compile(k);
    golden_write(k, x, "x");
    golden_write(k, time, "time");
    golden_write(k, in.tokens, "tokens");
    golden_write(k, in.caption, "caption");
    OK(graph_run(reader, &golden_error) && graph_run(k->graph, &golden_error));
    golden_check(k, "out.", "said", said);
    graph_destroy(reader);
    golden_close(k);
    store_destroy(memory);
}

static void write_step(golden *k, const diffusion_prior_step *s, const diffusion *process)
{
    float time[BATCH], numbers[BATCH * DIFFUSION_COEFFICIENTS];
    const int32_t random[4] = { SEED, 0, STEP, 0 };
    diffusion_draw_times(process, SEED, STEP, 0, BATCH, time, numbers);
    assert_memory_equal(time, golden_find(k, "in.", "time")->data, sizeof time);
    golden_write(k, s->embedding, "embedding");
    golden_write(k, s->condition.tokens, "tokens");
    golden_write(k, s->condition.caption, "caption");
    OK(graph_write(s->times.time, time, &golden_error) &&
       graph_write(s->times.coefficients, numbers, &golden_error) &&
       graph_write(s->random, random, &golden_error));
}

static void check_step(golden *k, const char *set)
{
    golden_open(k, "diffusion_prior");
    graph_destroy(k->graph);
    diffusion_prior_config c = small_config();
    diffusion_prior_step s = { 0 };
    diffusion process;
    golden_gradients gradients;
    OK(config_assign(&diffusion_prior_config_table, &c, set, "--set", &golden_error));
    OK(diffusion_prior_process(&c, &process, &golden_error));
    OK(diffusion_prior_step_build(&s, k->store, &c, &process, EMBEDDING, &golden_error));
    k->graph = s.graph;
    golden_keep_gradients(k, &gradients);
    golden_compile(k);
    write_step(k, &s, &process);
    OK(optimizer_schedule(s.optimizer, 0, RATE, 1, &golden_error) && graph_run(s.graph, &golden_error));
    golden_check(k, "out.", "loss", s.losses.loss);
    golden_check_gradients(k, &gradients);
    for (int i = 0; i < gradients.count; ++i) golden_check_after(k, gradients.name[i]);
    diffusion_free(&process);
    golden_close(k);
}

static void test_loss_gradients_and_update(void **state)
{
    check_step(*state, "recompute=no");
    check_step(*state, "recompute=yes");
}

/* Planned only: nothing of the published sizes is allocated. */
static void test_published_parameter_counts(void **state)
{
    golden *k = *state;
    static const struct {
        const char *preset;
        int64_t embedding, parameters;
    } cases[] = { { "paper", 1024, 1325538304 }, { "karlo", 768, 1121798912 } };
    for (int i = 0; i < 2; ++i) {
        diffusion_prior_config c;
        config_defaults(&diffusion_prior_config_table, &c);
        OK(preset_read(&diffusion_prior_config_table, cases[i].preset, &c, &golden_error));
        OK(diffusion_prior_config_check(&c, &golden_error));
        OK(k->store = store_create(k->device, &golden_error));
        OK(k->graph = graph_create(k->store, &golden_error));
        diffusion_prior_declare(k->graph, &c, cases[i].embedding);
        OK(graph_sound(k->graph, &golden_error));
        assert_int_equal(store_elements(k->store, STORE_PARAMETER), cases[i].parameters);
        graph_destroy(k->graph);
        store_destroy(k->store);
    }
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_network, &k),
        cmocka_unit_test_prestate(test_network_in_two, &k),
        cmocka_unit_test_prestate(test_loss_gradients_and_update, &k),
        cmocka_unit_test_prestate(test_published_parameter_counts, &k),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

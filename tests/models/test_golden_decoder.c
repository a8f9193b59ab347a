/* test_golden_decoder.c -- the decoder in Karlo's form, its captions read by a CLIP, against the package
 * diffusers: U-Net, context and what is added to the timestep's embedding, of a picture with an embedding and
 * of one without; how many parameters the paper's and Karlo's sizes have.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/decoder.h"
#include "models/request.h"
#include "tests/models/golden.h"

enum { EMBEDDING = 6, TEXT = 5, WIDTH = 8, CHANNELS = 4, SIDE = 8, BATCH = 2 };

static decoder_config small_config(void)
{
    decoder_config c;
    config_defaults(&decoder_config_table, &c);
    c.size = SIDE;
    c.channels = CHANNELS;
    c.depth = 2;
    snprintf(c.mult, sizeof c.mult, "1,2");
    snprintf(c.attention, sizeof c.attention, "4");
    c.head = 4;
    c.groups = 2;
    c.text_tokens = TEXT;
    c.clip_text = true;
    c.clip_text_width = WIDTH;
    c.batch = BATCH;
    OK(decoder_config_check(&c, &golden_error));
    return c;
}

static void test_karlo(void **state)
{
    golden *k = *state;
    const decoder_shape shape = { .embedding = EMBEDDING, .text = EMBEDDING };
    golden_open(k, "decoder");
    const decoder_config c = small_config();
    decoder_condition in = decoder_condition_input(k->graph, &c, &shape, BATCH);
    assert_null(in.ids);
    tensor *x = golden_input(k, "x"), *time = golden_input(k, "time");
    decoder_weights w = decoder_declare(k->graph, &c, &shape);
    tensor *said = decoder_predict(k->graph, &c, &w, &in, x, time, NULL);
    graph_keep(said);
    golden_compile(k);
    golden_write(k, x, "x");
    golden_write(k, time, "time");
    golden_write(k, in.embedding, "embedding");
    golden_write(k, in.keep, "keep");
    golden_write(k, in.states, "states");
    golden_write(k, in.valid, "valid");
    golden_write(k, in.caption, "caption");
    OK(graph_run(k->graph, &golden_error));
    golden_check(k, "out.", "said", said);
    golden_close(k);
}

/* Planned only: nothing of such a size is allocated.  docs/decoder.md says what the numbers mean. */
static void test_parameter_counts(void **state)
{
    golden *k = *state;
    static const struct {
        const char *preset;
        decoder_shape shape;
        int64_t parameters;
    } cases[] = {
        { "paper", { .embedding = 1024, .text = 1024 }, 3563696646 },
        { "karlo", { .embedding = 768, .text = 768 }, 893318086 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        decoder_config c;
        config_defaults(&decoder_config_table, &c);
        OK(preset_read(&decoder_config_table, cases[i].preset, &c, &golden_error));
        OK(decoder_config_check(&c, &golden_error));
        OK(k->store = store_create(k->device, &golden_error));
        OK(k->graph = graph_create(k->store, &golden_error));
        decoder_declare(k->graph, &c, &cases[i].shape);
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
        cmocka_unit_test_prestate(test_karlo, &k),
        cmocka_unit_test_prestate(test_parameter_counts, &k),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

/* test_golden_dvae.c -- encoder, decoder, both losses and their gradients against PyTorch; the parameter
 * counts of the published model.
 * SPDX-License-Identifier: MIT */
#include "models/dvae/dvae.h"
#include "models/request.h"
#include "tests/models/golden.h"

#define TAU  0.7f
#define BETA 6.6f

static dvae_config tiny_config(void)
{
    dvae_config c;
    config_defaults(&dvae_config_table, &c);
    c.image_size = 16;
    c.channels = 8;
    c.groups = 3;
    c.blocks = 1;
    c.codes = 24;
    c.decoder_channels = 12;
    return c;
}

static void test_loss_and_gradients(void **state)
{
    golden *k = *state;
    golden_open(k, "dvae");
    graph *g = k->graph;
    dvae_config c = tiny_config();
    /* The stored pixels are I32; the program's are U8. */
    const safetensors_tensor *stored = golden_find(k, "in.", "pixels");
    uint8_t bytes[2 * 16 * 16 * 3];
    assert_int_equal(stored->bytes, (int64_t)sizeof bytes * 4);
    for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = (uint8_t)((const int32_t *)stored->data)[i];
    tensor *pixels = graph_input(g, "pixels", DTYPE_U8, stored->rank, stored->dim);

    tensor *x = dvae_map_pixels(&c, pixels);
    tensor *logits = dvae_encoder(g, &c, x);
    tensor *tokens = dvae_tokens(g, &c, logits);
    tensor *stats = dvae_decoder(g, &c, op_softmax(op_scale(logits, 1.0f / TAU)));
    tensor *kl = op_categorical_kl(logits), *nll = op_logit_laplace(x, stats);
    float values = (float)tensor_count(x);
    tensor *loss = op_scale(op_add(op_sum_all(nll), op_scale(op_sum_all(kl), BETA)), 1.0f / values);
    tensor *token_stats = dvae_decode_tokens(g, &c, tokens);
    graph_backward(g, loss);
    golden_gradients gradients;
    golden_keep_gradients(k, &gradients);
    tensor *kept[] = { logits, tokens, stats, kl, nll, loss, token_stats };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; ++i) graph_keep(kept[i]);
    golden_compile(k);
    OK(graph_write(pixels, bytes, &golden_error));
    OK(graph_run(g, &golden_error));

    golden_check(k, "out.", "logits", logits);
    golden_check(k, "out.", "stats", stats);
    golden_check(k, "out.", "kl", kl);
    golden_check(k, "out.", "nll", nll);
    golden_check(k, "out.", "loss", loss);
    golden_check(k, "out.", "token_stats", token_stats);
    int32_t found[2 * 4 * 4];
    OK(graph_read(tokens, found, &golden_error));
    assert_memory_equal(found, golden_find(k, "out.", "tokens")->data, sizeof found);
    golden_check_gradients(k, &gradients);
    golden_close(k);
}

static int64_t elements_under(const store *s, const char *prefix)
{
    int64_t sum = 0;
    for (int i = 0; i < store_count(s); ++i) {
        const store_entry *e = store_at(s, i);
        if (e->kind == STORE_PARAMETER && strncmp(e->name, prefix, strlen(prefix)) == 0) sum += e->count;
    }
    return sum;
}

/* Planned only: nothing of the published size is allocated. */
static void test_published_parameter_counts(void **state)
{
    golden *k = *state;
    dvae_config c;
    config_defaults(&dvae_config_table, &c);
    OK(preset_read(&dvae_config_table, "paper", &c, &golden_error));
    OK(k->store = store_create(k->device, &golden_error));
    OK(k->graph = graph_create(k->store, &golden_error));
    graph *g = k->graph;
    tensor *x = graph_input(g, "x", DTYPE_F32, 4, (int64_t[]){ 1, 64, 64, 3 });
    tensor *stats = dvae_decoder(g, &c, op_softmax(dvae_encoder(g, &c, x)));
    graph_keep(stats);
    graph_plan_info info;
    OK(graph_plan(g, &info, &golden_error));
    assert_int_equal(elements_under(k->store, "encoder."), 53786240);
    assert_int_equal(elements_under(k->store, "decoder."), 43829766);
    assert_int_equal(store_elements(k->store, STORE_PARAMETER), 53786240 + 43829766);
    assert_int_equal(stats->dim[1], 64);
    graph_destroy(g);
    store_destroy(k->store);
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_loss_and_gradients, &k),
        cmocka_unit_test_prestate(test_published_parameter_counts, &k),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

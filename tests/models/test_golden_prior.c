/* test_golden_prior.c -- one block and the whole prior, losses and gradients, against PyTorch, whose masks
 * are built from the paper's words.
 * SPDX-License-Identifier: MIT */
#include "models/prior/prior.h"
#include "tests/models/golden.h"

static const prior_shape shape = { .side = 4, .codes = 24 };

static prior_config tiny_config(void)
{
    prior_config c;
    config_defaults(&prior_config_table, &c);
    c.text_tokens = 5;
    c.text_vocabulary = 20;
    c.layers = 6; /* row, column, row, row, row, convolution */
    c.size = 16;
    c.heads = 2;
    c.window = 3;
    return c;
}

static void test_one_block(void **state)
{
    golden *k = *state;
    golden_open(k, "prior");
    prior_config c = tiny_config();
    prior_weights w = prior_declare(k->graph, &c, &shape);
    mask pattern = prior_mask(&c, &shape, 2);
    assert_int_equal(pattern.kind, MASK_COLUMN);
    tensor *x = golden_input(k, "block");
    tensor *y = prior_block(k->graph, &c, &w.blocks[1], x, &pattern, NULL, NULL);
    graph_keep(y);
    golden_compile(k);
    golden_write(k, x, "block");
    OK(graph_run(k->graph, &golden_error));
    golden_check(k, "out.", "block", y);
    golden_close(k);
}

static void check_whole(golden *k, bool recompute)
{
    golden_open(k, "prior");
    graph *g = k->graph;
    prior_config c = tiny_config();
    c.recompute = recompute;
    tensor *text = golden_input(k, "text"), *image = golden_input(k, "image"),
           *targets = golden_input(k, "targets");
    tensor *share = graph_input(g, "share", DTYPE_F32, 1, (int64_t[]){ 1 });
    prior_places places = prior_places_input(g, &shape);
    prior_losses l = prior_loss(g, &c, &shape, text, image, image, targets, share, &places, NULL);
    /* A second stack over the same parameters, for what the loss does not show. */
    prior_weights w = prior_declare(g, &c, &shape);
    tensor *states = prior_states(g, &c, &shape, &w, &places, text, image, NULL);
    tensor *image_logits = prior_image_logits(&c, &w, states),
           *text_logits = prior_text_logits(&c, &w, states);
    graph_backward(g, l.loss);
    golden_gradients gradients;
    golden_keep_gradients(k, &gradients);
    tensor *kept[] = { l.loss, l.text, l.image, states, image_logits, text_logits };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; ++i) graph_keep(kept[i]);
    golden_compile(k);
    golden_write(k, text, "text");
    golden_write(k, image, "image");
    golden_write(k, targets, "targets");
    const int32_t *target = golden_find(k, "in.", "targets")->data;
    int real = 0;
    for (int i = 0; i < 2 * 4; ++i) real += target[i] >= 0;
    OK(graph_write(share, &(float){ 1.0f / (float)real }, &golden_error));
    OK(prior_write_places(&places, &shape, &golden_error));
    OK(graph_run(g, &golden_error));
    golden_check(k, "out.", "states", states);
    golden_check(k, "out.", "image_logits", image_logits);
    golden_check(k, "out.", "text_logits", text_logits);
    golden_check(k, "out.", "image_loss", l.image);
    golden_check(k, "out.", "text_loss", l.text);
    golden_check(k, "out.", "loss", l.loss);
    golden_check_gradients(k, &gradients);
    golden_close(k);
}

static void test_logits_losses_gradients(void **state)
{
    check_whole(*state, false);
}

static void test_the_same_with_recomputation(void **state)
{
    check_whole(*state, true);
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_one_block, &k),
        cmocka_unit_test_prestate(test_logits_losses_gradients, &k),
        cmocka_unit_test_prestate(test_the_same_with_recomputation, &k),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

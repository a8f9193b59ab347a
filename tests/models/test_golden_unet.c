/* test_golden_unet.c -- the U-Net with all its branches, and the text encoder, against PyTorch: outputs and
 * gradients, kept or computed again; what a list of sizes is; settings that make no network.
 * SPDX-License-Identifier: MIT */
#include "models/unclip/text_encoder.h"
#include "models/unclip/unet.h"
#include "tests/models/golden.h"

enum { BATCH = 2, SIDE = 8, TEXT = 5, ROWS = 11, WIDTH = 8 };

static const text_encoder_config text_config = {
    .tokens = TEXT, .rows = ROWS, .width = WIDTH, .layers = 2, .heads = 2
};

/* As the networks of tools/make_golden_unet.py. */
static const unet_config guided = { .in = 3,
                                    .out = 6,
                                    .size = SIDE,
                                    .channels = 4,
                                    .depth = 1,
                                    .levels = 2,
                                    .mult = { 1, 2 },
                                    .attentions = 1,
                                    .attention = { 4 },
                                    .head = 4,
                                    .groups = 2,
                                    .context = WIDTH },
                         alone = { .in = 7,
                                   .out = 3,
                                   .size = SIDE,
                                   .channels = 4,
                                   .depth = 1,
                                   .levels = 1,
                                   .mult = { 2 },
                                   .attentions = 1,
                                   .attention = { 8 },
                                   .head = 8,
                                   .groups = 2 },
                         plain = { .in = 6,
                                   .out = 3,
                                   .size = SIDE,
                                   .channels = 4,
                                   .depth = 2,
                                   .levels = 3,
                                   .mult = { 1, 2, 1 },
                                   .head = 4,
                                   .groups = 2 };

enum { NETS = 3, INPUTS = 16 };
static const char *const names[NETS] = { "guided", "alone", "plain" };
static const unet_config *const nets[NETS] = { &guided, &alone, &plain };

typedef struct built {
    tensor *text, *causal, *out[NETS], *loss;
    int count;
    const char *name[INPUTS];
    tensor *input[INPUTS];
} built;

static tensor *input(golden *k, built *b, const char *name)
{
    assert_true(b->count < INPUTS);
    b->name[b->count] = name;
    return b->input[b->count++] = golden_input(k, name);
}

/* loss + the sum of x times the stored numbers */
static tensor *add_slope(golden *k, built *b, tensor *loss, tensor *x, const char *name)
{
    tensor *sum = op_sum_all(op_mul(x, input(k, b, name)));
    return loss ? op_add(loss, sum) : sum;
}

static void build_text(golden *k, built *b, bool recompute)
{
    graph *g = k->graph;
    text_encoder_config c = text_config;
    tensor *ids = input(k, b, "ids");
    c.recompute = recompute;
    text_encoder *w = text_encoder_declare(g, &c);
    b->text = text_encoder_apply(g, &c, w, ids, NULL);
    c.causal = true;
    graph_push(g, "causal");
    b->causal = text_encoder_apply(g, &c, w, ids, NULL);
    graph_pop(g);
    b->loss = add_slope(k, b, NULL, b->causal, "slope.text");
}

static tensor *build_net(golden *k, int which, bool recompute, tensor *x, tensor *time, tensor *embedding,
                         const unet_context *context)
{
    unet_config c = *nets[which];
    c.recompute = recompute;
    OK(unet_check(&c, "net", &golden_error));
    graph_push(k->graph, "%s", names[which]);
    tensor *out = unet_apply(k->graph, &c, unet_declare(k->graph, &c), x, time, embedding, context, NULL);
    graph_pop(k->graph);
    return out;
}

static void build(golden *k, built *b, bool recompute)
{
    static const char *const x[NETS] = { "x.guided", "x.alone", "x.plain" }, *const slope[NETS] = {
        "slope.guided", "slope.alone", "slope.plain"
    };
    build_text(k, b, recompute);
    const unet_context context = { op_concat(2, (tensor *[]){ input(k, b, "tokens"), b->text }, 1),
                                   input(k, b, "valid") };
    tensor *time = input(k, b, "time"), *embedding = input(k, b, "embedding");
    for (int i = 0; i < NETS; ++i) {
        b->out[i] = build_net(k, i, recompute, input(k, b, x[i]), time, i == 0 ? embedding : NULL,
                              i == 0 ? &context : NULL);
        b->loss = add_slope(k, b, b->loss, b->out[i], slope[i]);
        graph_keep(b->out[i]);
    }
    graph_keep(b->text);
    graph_keep(b->causal);
    graph_backward(k->graph, b->loss);
}

static void check(golden *k, bool recompute)
{
    built b = { .count = 0 };
    golden_gradients gradients;
    golden_open(k, "unet");
    build(k, &b, recompute);
    golden_keep_gradients(k, &gradients);
    golden_compile(k);
    for (int i = 0; i < b.count; ++i) golden_write(k, b.input[i], b.name[i]);
    OK(graph_run(k->graph, &golden_error));
    golden_check(k, "out.", "text", b.text);
    golden_check(k, "out.", "text_causal", b.causal);
    for (int i = 0; i < NETS; ++i) golden_check(k, "out.", names[i], b.out[i]);
    golden_check_gradients(k, &gradients);
    golden_close(k);
}

static void test_kept(void **state)
{
    check(*state, false);
}

static void test_computed_again(void **state)
{
    check(*state, true);
}

/* As it begins, before any training, a network says nothing. */
static void test_begins_at_zero(void **state)
{
    golden *k = *state;
    float out[BATCH * SIDE * SIDE * 6];
    golden_open(k, "unet");
    built b = { .count = 0 };
    build(k, &b, false);
    OK(graph_compile(k->graph, 1, NULL, &golden_error));
    for (int i = 0; i < b.count; ++i) golden_write(k, b.input[i], b.name[i]);
    OK(graph_run(k->graph, &golden_error) && graph_read_f32(b.out[0], out, &golden_error));
    for (size_t i = 0; i < sizeof out / sizeof *out; ++i) assert_true(out[i] == 0);
    golden_close(k);
}

static void test_lists(void **state)
{
    (void)state;
    int64_t list[UNET_LEVELS];
    assert_int_equal(unet_list("", list), 0);
    assert_int_equal(unet_list("32,16,8", list), 3);
    assert_true(list[0] == 32 && list[1] == 16 && list[2] == 8);
    assert_int_equal(unet_list("1,2,3,4,5,6,7,8", list), 8);
    static const char *const wrong[] = {
        "1,2,3,4,5,6,7,8,9", ",", "1,", ",1", "1, 2", "a", "-1", "1.5", "1;2"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) assert_int_equal(unet_list(wrong[i], list), -1);
}

static void refused(unet_config c, const char *says)
{
    error err;
    assert_false(unet_check(&c, "net", &err));
    assert_int_equal(err.code, ERROR_USAGE);
    if (!strstr(err.message, says)) fail_msg("%s", err.message);
}

static void test_settings(void **state)
{
    (void)state;
    unet_config c = guided;
    c.levels = 0, refused(c, "net: mult is no list");
    c.levels = -1, refused(c, "net: mult is no list");
    c = guided, c.attentions = -1, refused(c, "attention is no list");
    c = guided, c.channels = 5, refused(c, "5 channels are not even, or not divisible by 2 groups; use 8");
    c = guided, c.size = 9, refused(c, "size 9 is not divisible by 2, as 2 levels need; use 10");
    c = guided, c.mult[1] = 0, refused(c, "0 in mult");
    c = guided, c.attention[0] = 5, refused(c, "attention at 5 pixels a side, which no level has");
    c = guided, c.head = 3, refused(c, "8 channels at 4 pixels a side, which has attention");
    c = guided, c.attention[0] = 8, c.mult[1] = 3, c.head = 12, refused(c, "4 channels at 8 pixels");
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = { cmocka_unit_test_prestate(test_kept, &k),
                                        cmocka_unit_test_prestate(test_computed_again, &k),
                                        cmocka_unit_test_prestate(test_begins_at_zero, &k),
                                        cmocka_unit_test(test_lists), cmocka_unit_test(test_settings) };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

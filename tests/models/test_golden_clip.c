/* test_golden_clip.c -- both towers, the loss, its gradients and one update against PyTorch, and parameters
 * under the published names; the parameter count of the published model.
 * SPDX-License-Identifier: MIT */
#include "models/clip/clip_step.h"
#include "models/clip/published.h"
#include "models/request.h"
#include "tests/models/golden.h"

enum { BATCH = 4, SIDE = 8, TEXT = 6 };
#define RATE 1e-2

static clip_config small_config(void)
{
    clip_config c;
    config_defaults(&clip_config_table, &c);
    c.image_size = SIDE;
    c.patch = 4;
    c.image_layers = c.text_layers = 2;
    c.image_width = 16;
    c.image_heads = 2;
    c.text_width = 12;
    c.text_heads = 3;
    c.text_tokens = TEXT;
    c.text_vocabulary = 20;
    c.embedding = 12;
    c.batch = BATCH;
    c.weight_decay = 0.2;
    c.adam_epsilon = 1e-6;
    return c;
}

/* The stored pixels are I32, the program's U8; the stored ends are positions. */
static void write_inputs(const golden *k, tensor *pixels, tensor *text, tensor *ends)
{
    const int32_t *stored = golden_find(k, "in.", "pixels")->data, *at = golden_find(k, "in.", "ends")->data;
    uint8_t bytes[BATCH * SIDE * SIDE * 3];
    for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = (uint8_t)stored[i];
    OK(graph_write(pixels, bytes, &golden_error) &&
       graph_write(text, golden_find(k, "in.", "text")->data, &golden_error) &&
       clip_write_ends(ends, at, TEXT, &golden_error));
}

typedef struct both {
    clip_constants constants;
    tensor *pixels, *text, *ends, *pictures, *texts;
} both;

static both build_towers(golden *k, const clip_config *c)
{
    graph *g = k->graph;
    both b = { .constants = clip_constants_input(g, BATCH) };
    b.pixels = graph_input(g, "pixels", DTYPE_U8, 4, (int64_t[]){ BATCH, SIDE, SIDE, 3 });
    b.text = graph_input(g, "text", DTYPE_I32, 2, (int64_t[]){ BATCH, TEXT });
    b.ends = clip_ends_input(g, BATCH);
    clip_weights w = clip_declare(g, c);
    b.pictures = clip_picture_features(g, c, &w, &b.constants, b.pixels, NULL);
    b.texts = clip_text_features(g, c, &w, b.text, b.ends, NULL);
    graph_keep(b.pictures);
    graph_keep(b.texts);
    return b;
}

static void run_towers(golden *k, const both *b, const char *pictures, const char *texts)
{
    OK(clip_write_constants(&b->constants, &golden_error));
    write_inputs(k, b->pixels, b->text, b->ends);
    OK(graph_run(k->graph, &golden_error));
    golden_check(k, "out.", pictures, b->pictures);
    golden_check(k, "out.", texts, b->texts);
}

static void test_towers(void **state)
{
    golden *k = *state;
    for (int exact = 0; exact < 2; ++exact) {
        golden_open(k, "clip");
        clip_config c = small_config();
        if (exact) c.activation = clip_activation_gelu;
        both b = build_towers(k, &c);
        golden_compile(k);
        run_towers(k, &b, exact ? "pictures_gelu" : "pictures", exact ? "texts_gelu" : "texts");
        golden_close(k);
    }
}

static void check_step(golden *k, const char *set)
{
    golden_open(k, "clip");
    graph_destroy(k->graph);
    clip_config c = small_config();
    clip_step s = { 0 };
    golden_gradients gradients;
    OK(config_assign(&clip_config_table, &c, set, "--set", &golden_error));
    OK(clip_step_build(&s, k->store, &c, &golden_error));
    k->graph = s.graph;
    golden_keep_gradients(k, &gradients);
    golden_compile(k);
    OK(clip_step_ready(&s, &golden_error));
    write_inputs(k, s.pixels, s.text, s.ends);
    OK(optimizer_schedule(s.optimizer, 0, RATE, 1, &golden_error) && graph_run(s.graph, &golden_error));
    golden_check(k, "out.", "loss", s.losses.loss);
    golden_check_gradients(k, &gradients);
    for (int i = 0; i < gradients.count; ++i) golden_check_after(k, gradients.name[i]);
    golden_close(k);
}

static void test_loss_gradients_and_update(void **state)
{
    check_step(*state, "recompute=no");
    check_step(*state, "recompute=yes");
}

static char *golden_file(const golden *k, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%.*s/%s", (int)(strrchr(k->path, '/') - k->path), k->path, name);
    return path;
}

static void test_published_names(void **state)
{
    golden *k = *state;
    golden_open(k, "clip");
    clip_config c = small_config();
    both b = build_towers(k, &c);
    bool is;
    OK(graph_compile(k->graph, 1, NULL, &golden_error));
    OK(clip_published_is(k->path, &is, &golden_error));
    assert_false(is);
    OK(clip_published_is(golden_file(k, "clip_published.safetensors"), &is, &golden_error));
    assert_true(is);
    OK(clip_published_read(k->store, golden_file(k, "clip_published.safetensors"), &golden_error));
    run_towers(k, &b, "pictures", "texts");
    golden_close(k);
}

static void test_published_of_another_shape(void **state)
{
    static const struct {
        const char *set, *says;
    } cases[] = {
        { "embedding=10", "'visual.proj'" },
        { "patch=2", "'visual.conv1.weight'" },
        { "text_tokens=7", "'positional_embedding'" },
        { "image_layers=3", "lacks the tensor 'visual.transformer.resblocks.2.ln_1.weight'" },
    };
    golden *k = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err;
        golden_open(k, "clip");
        clip_config c = small_config();
        OK(config_assign(&clip_config_table, &c, cases[i].set, "--set", &golden_error));
        build_towers(k, &c);
        OK(store_allocate(k->store, 1, &golden_error));
        assert_false(clip_published_read(k->store, golden_file(k, "clip_published.safetensors"), &err));
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].set, err.message);
        golden_close(k);
    }
}

/* Planned only: nothing of the published size is allocated. */
static void test_published_parameter_count(void **state)
{
    golden *k = *state;
    static const char *const presets[] = { "paper", "vit-b-32" };
    for (int i = 0; i < 2; ++i) {
        clip_config c;
        config_defaults(&clip_config_table, &c);
        OK(preset_read(&clip_config_table, presets[i], &c, &golden_error));
        assert_int_equal(clip_rows(&c), 49408);
        OK(k->store = store_create(k->device, &golden_error));
        OK(k->graph = graph_create(k->store, &golden_error));
        clip_declare(k->graph, &c);
        OK(graph_sound(k->graph, &golden_error));
        assert_int_equal(store_elements(k->store, STORE_PARAMETER), 151277313);
        assert_int_equal(store_count(k->store), 302 + 24 * 4); /* query, key and value are three here */
        graph_destroy(k->graph);
        store_destroy(k->store);
    }
}

int main(void)
{
    golden k = { .device = device_or_skip() };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_towers, &k),
        cmocka_unit_test_prestate(test_loss_gradients_and_update, &k),
        cmocka_unit_test_prestate(test_published_names, &k),
        cmocka_unit_test_prestate(test_published_of_another_shape, &k),
        cmocka_unit_test_prestate(test_published_parameter_count, &k),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(k.device);
    return failed;
}

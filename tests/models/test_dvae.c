/* test_dvae.c -- a small dVAE learns four pictures with either quantiser, gives them back from its tokens,
 * and computes the same with recomputation.
 * SPDX-License-Identifier: MIT */
#include "host/train/optimizer.h"
#include "models/dvae/codec.h"
#include "models/request.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

enum { PICTURES = 4 };

static device *hardware;

typedef struct trainer {
    dvae_config config;
    store *store;
    graph *graph;
    tensor *pixels, *schedule, *random;
    dvae_losses losses;
    optimizer *optimizer;
} trainer;

static dvae_config tiny(const char *const *sets)
{
    error err;
    dvae_config c;
    config_defaults(&dvae_config_table, &c);
    bool ok = preset_read(&dvae_config_table, "tiny", &c, &err);
    for (; ok && *sets; ++sets) ok = config_assign(&dvae_config_table, &c, *sets, "test", &err);
    if (!ok || !dvae_config_check(&c, &err)) fail_msg("%s", err.message);
    return c;
}

static trainer trainer_open(dvae_config c)
{
    error err;
    trainer t = { .config = c, .store = store_create(hardware, &err) };
    graph *g = t.graph = graph_create(t.store, &err);
    t.pixels = graph_input(g, "pixels", DTYPE_U8, 4, (int64_t[]){ c.batch, c.image_size, c.image_size, 3 });
    t.schedule = graph_input(g, "schedule", DTYPE_F32, 1, (int64_t[]){ 2 });
    t.random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    dvae_controls controls = { op_slice(t.schedule, 0, 0, 1), op_slice(t.schedule, 0, 1, 1), t.random };
    t.losses = dvae_loss(g, &c, t.pixels, &controls);
    graph_backward(g, t.losses.loss);
    optimizer_settings s = { 0.9f, 0.99f, 1e-8f, 0.0f, 1.0f, false, NULL };
    t.optimizer = optimizer_append(g, t.losses.loss, &s);
    if (dvae_is_vq(&c)) {
        tensor *finite = op_cast(op_slice(optimizer_status(t.optimizer), 0, 2, 1), DTYPE_I32);
        dvae_update_codebook(g, &c, &t.losses, t.random, finite);
    }
    graph_keep(t.losses.loss);
    if (!graph_compile(g, 1, "batch", &err)) fail_msg("%s", err.message);
    return t;
}

static void trainer_close(trainer *t)
{
    graph_destroy(t->graph);
    store_destroy(t->store);
}

static float train_step(trainer *t, const uint8_t *pixels, int step, float temperature, float kl, double rate)
{
    error err;
    float loss = 0;
    const int32_t random[4] = { 1, 0, step, 0 };
    const float schedule[2] = { temperature, kl };
    bool ok = graph_write(t->pixels, pixels, &err) && graph_write(t->schedule, schedule, &err) &&
              graph_write(t->random, random, &err) &&
              optimizer_schedule(t->optimizer, step, rate, 1.0, &err) && graph_run(t->graph, &err) &&
              graph_read(t->losses.loss, &loss, &err);
    if (!ok) fail_msg("%s", err.message);
    return loss;
}

static void pictures(uint8_t *pixels)
{
    static const int which[PICTURES] = { 0, 5, 2, 7 };
    for (int i = 0; i < PICTURES; ++i) drawing_pixels(which[i], pixels + i * DRAWING_BYTES);
}

/* Mean squared error of pixels in 0..1 through hard tokens, `at_once` pictures at a time. */
static double reconstruct(trainer *t, const uint8_t *real, int64_t at_once, int32_t *tokens)
{
    error err;
    uint8_t again[PICTURES * DRAWING_BYTES];
    dvae_codec *k = dvae_codec_create(t->store, &t->config, CODEC_BOTH, at_once, false, &err);
    if (!k || !dvae_codec_encode(k, real, PICTURES, tokens, &err) ||
        !dvae_codec_decode(k, tokens, PICTURES, again, &err))
        fail_msg("%s", err.message);
    dvae_codec_destroy(k);
    double sum = 0;
    for (int i = 0; i < PICTURES * DRAWING_BYTES; ++i) {
        double d = ((double)again[i] - (double)real[i]) / 255.0;
        sum += d * d;
    }
    return sum / (PICTURES * DRAWING_BYTES);
}

static void learn(const char *const *sets, int steps, double least_psnr)
{
    uint8_t real[PICTURES * DRAWING_BYTES];
    int32_t tokens[PICTURES * 64], singly[PICTURES * 64];
    pictures(real);
    trainer t = trainer_open(tiny(sets));
    float first = 0, loss = 0;
    for (int i = 0; i < steps; ++i) {
        float part = (float)i / (float)steps, temperature = 1.0f - 0.8f * part;
        loss = train_step(&t, real, i, temperature, 0.0f, 4e-3);
        if (i == 0) first = loss;
    }
    double psnr = psnr_of(reconstruct(&t, real, PICTURES, tokens));
    print_message("%s: loss %.3f to %.3f, %.1f dB\n", dvae_is_vq(&t.config) ? "vq" : "gumbel", (double)first,
                  (double)loss, psnr);
    assert_true(isfinite(loss));
    assert_true(loss < 0.35f * first);
    if (psnr < least_psnr) fail_msg("%.2f dB through hard tokens, %.2f wanted", psnr, least_psnr);
    reconstruct(&t, real, 3, singly); /* 4 pictures by 3: the last block is filled up */
    assert_memory_equal(tokens, singly, sizeof tokens);
    trainer_close(&t);
}

static void test_gumbel_learns(void **state)
{
    (void)state;
    learn((const char *const[]){ "quantiser=gumbel", "channels=16", "reconstruction=pixels", NULL }, 160,
          18.0);
}

static void test_vq_learns(void **state)
{
    (void)state;
    learn((const char *const[]){ "quantiser=vq", "channels=16", "reconstruction=pixels", NULL }, 160, 18.0);
}

/* The paper's density has no upper bound on flat drawings: its loss falls below 0. */
static void test_logit_laplace_learns(void **state)
{
    (void)state;
    uint8_t real[PICTURES * DRAWING_BYTES];
    pictures(real);
    trainer t = trainer_open(tiny((const char *const[]){ "quantiser=gumbel", NULL }));
    float first = train_step(&t, real, 0, 1, 0, 3e-3), loss = first;
    for (int i = 1; i < 60; ++i) loss = train_step(&t, real, i, 1, 0.1f, 3e-3);
    if (!(loss < first - 0.5f)) fail_msg("loss %g to %g", (double)first, (double)loss);
    trainer_close(&t);
}

/* Recomputation changes memory, and no bit of a loss. */
static void same_with_recompute(const char *quantiser)
{
    uint8_t real[PICTURES * DRAWING_BYTES];
    graph_plan_info plan[2];
    float loss[2][4];
    pictures(real);
    for (int again = 0; again < 2; ++again) {
        const char *const sets[] = { quantiser, again ? "recompute=yes" : "recompute=no", "blocks=2",
                                     "batch=4", NULL };
        trainer t = trainer_open(tiny(sets));
        assert_true(graph_info(t.graph, &plan[again]));
        for (int i = 0; i < 4; ++i) loss[again][i] = train_step(&t, real, i, 0.5f, 0.1f, 3e-3);
        trainer_close(&t);
    }
    print_message("%s: %lld bytes of work memory, %lld with recompute\n", quantiser,
                  (long long)plan[0].work_bytes, (long long)plan[1].work_bytes);
    assert_memory_equal(loss[0], loss[1], sizeof loss[0]);
    assert_true(plan[1].work_bytes < plan[0].work_bytes);
}

static void test_recompute(void **state)
{
    (void)state;
    same_with_recompute("quantiser=gumbel");
    same_with_recompute("quantiser=vq");
}

static void test_bad_tokens(void **state)
{
    (void)state;
    error err;
    dvae_config c = tiny((const char *const[]){ NULL });
    store *s = store_create(hardware, &err);
    dvae_codec *k = dvae_codec_create(s, &c, CODEC_DECODE, 1, false, &err);
    if (!k) fail_msg("%s", err.message);
    int32_t tokens[64] = { 0 };
    uint8_t pixels[DRAWING_BYTES];
    assert_true(dvae_codec_decode(k, tokens, 1, pixels, &err));
    tokens[9] = 32;
    assert_false(dvae_codec_decode(k, tokens, 1, pixels, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_string_equal(err.message, "token 9 is 32; the codebook has codes 0 to 31");
    tokens[9] = -1;
    assert_false(dvae_codec_decode(k, tokens, 1, pixels, &err));
    dvae_codec_destroy(k);
    store_destroy(s);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "encoder.input.weight", "encoder.group1.block1.residual.conv1.weight", "encoder.output.bias",
        "decoder.input.weight", "decoder.group1.block1.residual.conv4.bias",   "decoder.output.weight",
    };
    trainer t = trainer_open(tiny((const char *const[]){ "quantiser=vq", NULL }));
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        const store_entry *e = store_find(t.store, names[i]);
        if (!e) fail_msg("no parameter '%s'", names[i]);
        assert_int_equal(e->kind, STORE_PARAMETER);
    }
    assert_non_null(store_find(t.store, "codebook"));
    assert_int_equal(store_find(t.store, "codebook")->kind, STORE_LEARNT);
    trainer_close(&t);
}

static void test_configurations(void **state)
{
    (void)state;
    error err;
    dvae_config c = tiny((const char *const[]){ NULL });
    c.image_size = 17;
    assert_false(dvae_config_check(&c, &err));
    assert_int_equal(error_exit_status(&err), 2);
    assert_says(&err, "17");
    assert_false(config_assign(&dvae_config_table, &c, "chanels=3", "--set", &err));
    assert_says(&err, "channels");
    assert_false(preset_read(&dvae_config_table, "tinny", &c, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_says(&err, "tiny");
}

/* With nearest codes and no other term the loss is what a picture costs given its tokens. */
static void test_score(void **state)
{
    (void)state;
    static const char *const sets[] = { "commitment=0", "reconstruction=logit_laplace", NULL },
                             *const others[] = { "reconstruction=pixels", NULL };
    error err;
    uint8_t real[PICTURES * DRAWING_BYTES], again[PICTURES * DRAWING_BYTES], plain[PICTURES * DRAWING_BYTES];
    int32_t tokens[PICTURES * 64];
    double nats = 0, values = PICTURES * DRAWING_BYTES;
    pictures(real);
    trainer t = trainer_open(tiny(sets));
    for (int i = 0; i < 20; ++i) train_step(&t, real, i, 1, 0, 4e-3);
    dvae_codec *k = dvae_codec_create(t.store, &t.config, CODEC_BOTH | CODEC_SCORE, 3, false, &err);
    if (!k || !dvae_codec_encode(k, real, PICTURES, tokens, &err) ||
        !dvae_codec_score(k, tokens, real, PICTURES, again, &nats, &err) ||
        !dvae_codec_decode(k, tokens, PICTURES, plain, &err))
        fail_msg("%s", err.message);
    assert_memory_equal(again, plain, sizeof again);
    double loss = (double)train_step(&t, real, 20, 1, 0, 0),
           bits = dvae_codec_bits(&t.config, nats, PICTURES).pixels;
    print_message("%.5f nats a value, loss %.5f, %.3f bits\n", nats / values, loss, bits);
    assert_true(fabs(nats / values - loss) < 1e-4 * (1 + fabs(loss)));
    assert_true(fabs(bits - (loss - log((1 - 2 * t.config.epsilon) / 255)) / log(2)) < 1e-3);
    dvae_codec_destroy(k);
    trainer_close(&t);
    dvae_config c = tiny(sets);
    /* Even odds over the 255 steps between 256 levels cost as many bits; 64 tokens of 32 codes, 5 bits
     * each. */
    double even = values * log(1 - 2 * c.epsilon);
    assert_true(fabs(dvae_codec_bits(&c, even, PICTURES).pixels - log2(255)) < 1e-9);
    assert_true(fabs(dvae_codec_bits(&c, 0, 1).tokens - 64 * 5 / (double)DRAWING_BYTES) < 1e-12);
    c = tiny(others);
    assert_false(dvae_codec_scores(&c));
}

static void test_code_classes(void **state)
{
    (void)state;
    error err;
    double classes[CODE_CLASSES];
    code_counter *k = code_counter_create(16, &err);
    code_counter_classes(k, classes);
    assert_true(classes[0] == 16);
    /* Of 320 tokens an even share is 20: code 0 has 299, 1 has 20, 2 has 1. */
    for (int32_t i = 0; i < 320; ++i) code_counter_add(k, &(int32_t){ i < 299 ? 0 : i < 319 ? 1 : 2 }, 1);
    code_counter_classes(k, classes);
    for (int i = 0; i < CODE_CLASSES; ++i)
        assert_true(classes[i] == (i == 0 ? 13 : i == 1 || i == 6 || i == 9 ? 1 : 0));
    code_counter_destroy(k);
}

int main(void)
{
    hardware = device_or_skip();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gumbel_learns),        cmocka_unit_test(test_vq_learns),
        cmocka_unit_test(test_logit_laplace_learns), cmocka_unit_test(test_recompute),
        cmocka_unit_test(test_bad_tokens),           cmocka_unit_test(test_names),
        cmocka_unit_test(test_configurations),       cmocka_unit_test(test_score),
        cmocka_unit_test(test_code_classes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(hardware);
    return failed;
}

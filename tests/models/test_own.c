/* test_own.c -- what one's own pictures need: settings chosen by the set, vocabularies that fit their
 * captions, and starting from a model of other words and longer captions.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"
#include "models/dvae/dvae.h"
#include "models/fit.h"
#include "models/dvae/dvae_train.h"
#include "models/prior/prior.h"
#include "models/prior/prior_train.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

static room base;
static char data[100], dvae[100], model[100];

static const char *path_of(const char *name)
{
    return at(&base, name);
}

/* ---- By the set ---- */

static void test_fit(void **state)
{
    (void)state;
    static const struct {
        int64_t pictures, dvae_steps, dvae_batch, codes, prior_steps, prior_batch;
    } cases[] = {
        { 1, 200, 1, 16, 300, 1 },    { 2, 200, 2, 16, 300, 2 },       { 12, 372, 12, 128, 465, 8 },
        { 30, 588, 16, 256, 735, 8 }, { 500, 2400, 16, 256, 3000, 8 }, { 50000, 24000, 16, 256, 30000, 8 },
    };
    error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        dvae_config d;
        prior_config p;
        bool chosen = false;
        config_defaults(&dvae_config_table, &d);
        config_defaults(&prior_config_table, &p);
        if (!preset_read(&dvae_config_table, "small", &d, &err)) fail_msg("%s", err.message);
        if (!preset_read(&prior_config_table, "small", &p, &err)) fail_msg("%s", err.message);
        dvae_fit(&d, cases[i].pictures, &chosen);
        assert_true(chosen && dvae_config_check(&d, &err));
        prior_fit(&p, cases[i].pictures, &chosen);
        assert_true(chosen);
        assert_int_equal(d.steps, cases[i].dvae_steps);
        assert_int_equal(d.batch, cases[i].dvae_batch);
        assert_int_equal(d.codes, cases[i].codes);
        assert_int_equal(p.steps, cases[i].prior_steps);
        assert_int_equal(p.batch, cases[i].prior_batch);
        assert_true(d.log_every > 0 && d.save_every > 0 && 6 * d.save_every >= d.steps && d.eval_every > 0);
        assert_true(d.warmup < d.steps && p.warmup < p.steps && p.eval_every == 0 && p.sample_every > 0);
        /* Chosen once: a resumed run changes nothing. */
        dvae_config again = d;
        dvae_fit(&again, 7, &chosen);
        assert_true(!chosen && memcmp(&again, &d, sizeof d) == 0);
    }
}

/* What is said stays. */
static void test_fit_leaves_settings(void **state)
{
    (void)state;
    error err;
    dvae_config d;
    bool chosen = true;
    config_defaults(&dvae_config_table, &d);
    assert_true(preset_read(&dvae_config_table, "photo", &d, &err));
    d.steps = 77;
    d.codes = 40;
    d.save_every = 5;
    d.sample_every = 0;
    dvae_fit(&d, 3, &chosen);
    assert_true(!chosen && d.steps == 77 && d.codes == 40 && d.save_every == 5 && d.sample_every == 0);
    assert_int_equal(d.batch, 8);
    d.codes = 1;
    assert_false(dvae_config_check(&d, &err));
    assert_non_null(strstr(err.message, "codes 1"));
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        { 0, "1 second" },    { 40, "40 seconds" },    { 89, "89 seconds" },
        { 91, "2 minutes" },  { 5000, "83 minutes" },  { 5401, "2 hours" },
        { 200000, "2 days" }, { 1e12, "31688 years" }, { (double)INFINITY, "1000000000000000 years" }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char text[32];
        fit_duration(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
    assert_int_equal(fit_text_tokens(0), 24);
    assert_int_equal(fit_text_tokens(25), 32);
    assert_int_equal(fit_text_tokens(9999), 128);
}

/* ---- Runs ---- */

static int64_t setting(const char *run, const config_table *table, const char *key)
{
    error err;
    void *config = calloc(1, table->size);
    char path[300];
    snprintf(path, sizeof path, "%s/config.cfg", run);
    char *text = file_read(path, NULL, &err);
    if (!text) fail_msg("%s", err.message);
    config_defaults(table, config);
    if (!config_parse(table, config, text, path, &err)) fail_msg("%s", err.message);
    int64_t value = *(const int64_t *)(const void *)((const char *)config + config_find(table, key)->offset);
    free(text);
    free(config);
    return value;
}

/* A folder of drawings with these captions, `count` of them in turn. */
static void captioned(const char *folder, const char *const *captions, int count)
{
    drawings_folder(folder, DRAWINGS);
    for (int i = 0; i < DRAWINGS; ++i) {
        char name[300];
        snprintf(name, sizeof name, "%s/%d.txt", folder, i);
        write_text(name, captions[i % count]);
    }
}

/* Sets with few pictures are trained on with what was chosen for them, and resumed exactly. */
static void test_small_sets(void **state)
{
    (void)state;
    const char *const sets[] = { "steps=0",      "codes=0",         "log_every=0",
                                 "save_every=0", "sample_every=-1", "eval_every=-1" };
    for (int pictures = 1; pictures <= 2; ++pictures) {
        error err;
        char folder[200], run[200];
        snprintf(folder, sizeof folder, "%s/set%d", base.path, pictures);
        snprintf(run, sizeof run, "%s/run%d", base.path, pictures);
        drawings_folder(folder, pictures);
        volatile sig_atomic_t stop = 1;
        train_request r = {
            .preset = "tiny", .sets = sets, .set_count = 6, .data = folder, .run = run, .seed = -1
        };
        r.quiet = true;
        r.interrupted = &stop;
        assert_false(dvae_train(&r, &err));
        assert_int_equal(err.code, ERROR_INTERRUPTED);
        assert_int_equal(setting(run, &dvae_config_table, "steps"), 200);
        assert_int_equal(setting(run, &dvae_config_table, "batch"), pictures);
        assert_int_equal(setting(run, &dvae_config_table, "codes"), 16);
        r = (train_request){ .run = run, .resume = true, .seed = -1, .quiet = true, .minutes = 0.0001 };
        if (!dvae_train(&r, &err)) fail_msg("%s", err.message);
    }
}

static bool train_prior(const char *from, const char *run, const char *init, const char *const *sets,
                        error *err)
{
    train_request r = { .preset = "tiny",
                        .sets = sets,
                        .data = from,
                        .parts = { { &dvae_kind, dvae } },
                        .run = run,
                        .seed = -1 };
    r.init = init;
    r.quiet = true;
    while (sets[r.set_count]) ++r.set_count;
    return prior_train(&r, err);
}

static void test_vocabularies(void **state)
{
    (void)state;
    error err;
    static const char *const one[] = { "cat" };
    static const char *const many[] = { "猫は椅子", "犬が走る", "鳥と月" };
    captioned(path_of("one"), one, 1);
    captioned(path_of("many"), many, 3);
    static const struct {
        const char *folder, *asked;
        int64_t least, most;
    } cases[] = { { "data", "text_vocabulary=5000", 290, 400 },
                  { "one", "text_vocabulary=1024", 261, 270 },
                  { "many", "text_vocabulary=258", 267, 275 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char run[200];
        snprintf(run, sizeof run, "%s/words%d", base.path, (int)i);
        const char *const sets[] = { "steps=2", "sample_every=0", "text_tokens=0", cases[i].asked, NULL };
        if (!train_prior(i ? path_of(cases[i].folder) : data, run, NULL, sets, &err))
            fail_msg("%s", err.message);
        int64_t vocabulary = setting(run, &prior_config_table, "text_vocabulary");
        assert_in_range(vocabulary, cases[i].least, cases[i].most);
        assert_int_equal(setting(run, &prior_config_table, "text_tokens"), 24);
        /* Resumed and packed, the tokenizer and the settings still agree. */
        train_request r = { .run = run, .resume = true, .seed = -1, .quiet = true };
        if (!prior_train(&r, &err)) fail_msg("%s", err.message);
        device *d = device_open(NULL, &err);
        if (!pack_model(d, (const char *const[]){ dvae, run, NULL }, path_of("packed"), DTYPE_F16, &err))
            fail_msg("%s", err.message);
        device_close(d);
    }
    /* A tokenizer that is named is taken, whatever its size. */
    assert_true(tokenizer_train(drawing_captions, DRAWINGS, 280, path_of("t.model"), &err));
    const char *const sets[] = { "steps=1", "sample_every=0" };
    train_request r = { .preset = "tiny",
                        .sets = sets,
                        .set_count = 2,
                        .data = data,
                        .parts = { { &dvae_kind, dvae } },
                        .seed = -1 };
    r.run = path_of("named");
    r.tokenizer = path_of("t.model");
    r.quiet = true;
    if (!prior_train(&r, &err)) fail_msg("%s", err.message);
    assert_int_equal(setting(path_of("named"), &prior_config_table, "text_vocabulary"), 280);
}

/* Pictures without a caption are left out; if none has one, that is an error. */
static void test_missing_captions(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "steps=2", "sample_every=0", "holdout=0.2", "eval_every=1", NULL };
    char name[300];
    drawings_folder(path_of("bare"), DRAWINGS);
    for (int i = DRAWINGS - 1; i >= 0; --i) {
        snprintf(name, sizeof name, "%s/%d.txt", path_of("bare"), i);
        assert_int_equal(remove(name), 0);
        if (i == 3 && !train_prior(path_of("bare"), path_of("some"), NULL, sets, &err))
            fail_msg("%s", err.message);
    }
    assert_false(train_prior(path_of("bare"), path_of("none"), NULL, sets, &err));
    print_message("%s\n", err.message);
    assert_non_null(strstr(err.message, "training pictures has a caption"));
}

/* ---- Starting from a model ---- */

static const float *values_of(safetensors *file, const char *name, int64_t rows)
{
    const safetensors_tensor *t = safetensors_find(file, name);
    if (!t) fail_msg("no '%s'", name);
    assert_int_equal(t->dim[0], rows);
    assert_true(t->type == DTYPE_F32);
    return t->data;
}

static void test_init_grows(void **state)
{
    (void)state;
    error err;
    static const char *const captions[] = { "a red quokka", "two quokkas surfing",
                                            "surfing over a white square" };
    const char *const sets[] = { "steps=1", "learning_rate=0", "weight_decay=0",
                                 "ema=0",   "sample_every=0",  "text_tokens=20",
                                 NULL };
    captioned(path_of("quokkas"), captions, 3);
    if (!train_prior(path_of("quokkas"), path_of("grown"), model, sets, &err)) fail_msg("%s", err.message);
    int64_t before = setting(model, &prior_config_table, "text_vocabulary"),
            after = setting(path_of("grown"), &prior_config_table, "text_vocabulary"), size = 48;
    assert_true(after > before + 2);
    char path[300];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", model);
    safetensors *old = safetensors_open(path, &err),
                *new = safetensors_open(path_of("grown/checkpoint.safetensors"), &err);
    if (!old || !new) fail_msg("%s", err.message);
    static const char *const kept[] = { "text_embedding",    "text_logits.weight", "text_position",
                                        "padding_embedding", "image_embedding",    "block1.up.weight" };
    for (int i = 0; i < 6; ++i) {
        char average[100];
        snprintf(average, sizeof average, "ema.%s", kept[i]);
        int64_t rows = safetensors_find(old, average)->dim[0], now = i < 2 ? after : i < 4 ? 20 : rows;
        const float *x = values_of(old, average, rows), *y = values_of(new, kept[i], now);
        /* Logits are made calmer, all alike. */
        float scale = i == 1 ? 0.25f : 1.0f;
        for (int64_t j = 0; j < rows * size; ++j) assert_true(y[j] == scale * x[j]);
        for (int64_t row = rows; (i == 2 || i == 3) && row < now; ++row)
            assert_memory_equal(y + row * size, x + (rows - 1) * size, (size_t)size * sizeof *y);
    }
    /* A new piece starts as the mean of what spelt it. */
    tokenizer *was = tokenizer_open(path_of("model/tokenizer.model"), &err),
              *is = tokenizer_open(path_of("grown/tokenizer.model"), &err);
    int32_t *ids, *one;
    int count = tokenizer_encode(was, "surfing", &ids, &err);
    assert_int_equal(tokenizer_encode(is, "surfing", &one, &err), 1);
    assert_true(*one >= before && count > 1);
    const float *x = values_of(old, "ema.text_embedding", before),
                *y = values_of(new, "text_embedding", after);
    for (int64_t j = 0; j < size; ++j) {
        double sum = 0;
        for (int i = 0; i < count; ++i) sum += (double)x[ids[i] * size + j] / count;
        assert_true(fabs(sum - (double)y[*one * size + j]) < 1e-6);
    }
    free(ids);
    free(one);
    tokenizer_close(was);
    tokenizer_close(is);
    safetensors_close(old);
    safetensors_close(new);
    words *list = words_open(path_of("grown/words.txt"), &err);
    assert_true(words_has(list, "quokka") && words_has(list, "blue")); /* a word of the model's alone */
    words_destroy(list);
}

/* On captions that the model knows nothing grows, and its logits are as they were: training goes on. */
static void test_init_goes_on(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "steps=1", "learning_rate=0", "weight_decay=0",
                                 "ema=0",   "sample_every=0",  NULL };
    if (!train_prior(data, path_of("on"), model, sets, &err)) fail_msg("%s", err.message);
    assert_int_equal(setting(path_of("on"), &prior_config_table, "text_vocabulary"), 288);
    char path[300];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", model);
    safetensors *old = safetensors_open(path, &err),
                *new = safetensors_open(path_of("on/checkpoint.safetensors"), &err);
    if (!old || !new) fail_msg("%s", err.message);
    int64_t codes = safetensors_find(old, "ema.image_logits.weight")->dim[0];
    assert_memory_equal(values_of(old, "ema.image_logits.weight", codes),
                        values_of(new, "image_logits.weight", codes), (size_t)codes * 48 * sizeof(float));
    safetensors_close(old);
    safetensors_close(new);

    /* A tokenizer of other pieces would give them its rows. */
    static const char *const others[] = { "zebras on zebras", "zebra and okapi" };
    assert_true(tokenizer_fit(others, 2, 288, path_of("other.model"), &err));
    train_request other = { .preset = "tiny",
                            .data = data,
                            .parts = { { &dvae_kind, dvae } },
                            .run = path_of("o2"),
                            .init = model,
                            .seed = -1 };
    other.tokenizer = path_of("other.model");
    other.quiet = true;
    assert_false(prior_train(&other, &err));
    assert_says(&err, "leave out --tokenizer");

    /* As if it had been killed before its first checkpoint: it does not go on from random parameters. */
    assert_int_equal(unlink(path_of("on/checkpoint.safetensors")), 0);
    assert_int_equal(unlink(path_of("on/checkpoint-000000.safetensors")), 0);
    train_request again = { .run = path_of("on"), .resume = true, .seed = -1 };
    again.quiet = true;
    assert_false(prior_train(&again, &err));
    assert_says(&err, "ended before its first checkpoint");
    assert_int_equal(error_exit_status(&err), 2);
}

/* Without a preset, the model's sizes and what `small` says besides. */
static void test_init_gives_sizes(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "steps=1", "sample_every=0", "eval_every=0" };
    train_request r = {
        .sets = sets, .set_count = 3, .data = data, .run = path_of("sized"), .init = dvae, .seed = -1
    };
    r.quiet = true;
    if (!dvae_train(&r, &err)) fail_msg("%s", err.message);
    assert_int_equal(setting(path_of("sized"), &dvae_config_table, "channels"), 8);
    assert_int_equal(setting(path_of("sized"), &dvae_config_table, "image_size"), 16);
    assert_int_equal(setting(path_of("sized"), &dvae_config_table, "codes"), 32);
    r.parts[0] = (train_part){ &dvae_kind, dvae };
    r.init = model;
    r.run = path_of("sized2");
    if (!prior_train(&r, &err)) fail_msg("%s", err.message);
    assert_int_equal(setting(path_of("sized2"), &prior_config_table, "layers"), 3);
    assert_int_equal(setting(path_of("sized2"), &prior_config_table, "text_tokens"), 24);
}

static void test_init_refused(void **state)
{
    (void)state;
    error err;
    static const struct {
        const char *set, *says;
    } cases[] = { { "layers=2", "has layers = 3: a run that starts from it cannot have 2" },
                  { "size=24", "has size = 48" },
                  { "text_tokens=8", "has text_tokens = 16: a run that starts from it cannot have 8" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *const sets[] = { "steps=1", cases[i].set, NULL };
        assert_false(train_prior(data, path_of("refused"), model, sets, &err));
        print_message("%s\n", err.message);
        assert_non_null(strstr(err.message, cases[i].says));
        assert_int_equal(error_exit_status(&err), 2);
    }
    const char *const other[] = { "steps=1", "codes=20", "sample_every=0", NULL };
    if (!train_tiny("dvae", data, NULL, path_of("other"), other, &err)) fail_msg("%s", err.message);
    train_request r = {
        .preset = "tiny", .data = data, .run = path_of("refused"), .init = model, .seed = -1
    };
    r.parts[0] = (train_part){ &dvae_kind, path_of("other") };
    r.quiet = true;
    assert_false(prior_train(&r, &err));
    print_message("%s\n", err.message);
    assert_non_null(strstr(err.message, "of 32 codes, the dVAE has 8 x 8 of 20"));
}

/* A codebook taken over is not thrown away in the first step. */
static void test_init_keeps_codes(void **state)
{
    (void)state;
    error err;
    const char *const sets[] = { "steps=1", "sample_every=0", "codebook_revive=0.03", "codebook_decay=0.99" };
    train_request r = {
        .preset = "tiny", .sets = sets, .set_count = 4, .data = data, .run = path_of("codes")
    };
    r.seed = -1;
    r.init = dvae;
    r.quiet = true;
    if (!dvae_train(&r, &err)) fail_msg("%s", err.message);
    safetensors *old = safetensors_open(path_of("dvae/checkpoint.safetensors"), &err),
                *new = safetensors_open(path_of("codes/checkpoint.safetensors"), &err);
    const float *x = values_of(old, "codebook", 32), *y = values_of(new, "codebook", 32);
    double far = 0;
    for (int i = 0; i < 32 * 8; ++i) far = fmax(far, fabs((double)x[i] - (double)y[i]));
    print_message("codes moved by at most %g\n", far);
    assert_true(far < 0.2);
    safetensors_close(old);
    safetensors_close(new);
}

static int set_up(void **state)
{
    (void)state;
    error err;
    base = room_create();
    snprintf(data, sizeof data, "%s/data.tar", base.path);
    snprintf(dvae, sizeof dvae, "%s/dvae", base.path);
    snprintf(model, sizeof model, "%s/model", base.path);
    drawings_tar(data, DRAWINGS);
    const char *const first[] = { "steps=10", "sample_every=0", NULL };
    const char *const second[] = { "steps=10", "sample_every=0", "text_vocabulary=288", NULL };
    if (train_tiny("dvae", data, NULL, dvae, first, &err) &&
        train_tiny("prior", data, dvae, model, second, &err))
        return 0;
    fprintf(stderr, "%s\n", err.message);
    return -1;
}

static int tear_down(void **state)
{
    (void)state;
    room_remove(&base);
    return 0;
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_fit_leaves_settings),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_small_sets),
        cmocka_unit_test(test_vocabularies),
        cmocka_unit_test(test_missing_captions),
        cmocka_unit_test(test_init_grows),
        cmocka_unit_test(test_init_goes_on),
        cmocka_unit_test(test_init_gives_sizes),
        cmocka_unit_test(test_init_refused),
        cmocka_unit_test(test_init_keeps_codes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

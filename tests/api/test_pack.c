/* test_pack.c -- what pack writes and from what, and model folders that are damaged.
 * SPDX-License-Identifier: MIT */
#include "data/safetensors.h"
#include "models/prior/prior_part.h"
#include "tests/api/trained.h"

/* A run draws what the folder packed from it as f32 draws. */
static void test_pack_equals_run(void **state)
{
    (void)state;
    error err;
    dalle_error failure;
    device *d = device_open(NULL, &err);
    if (!d || !pack_model(d, (const char *const[]){ path_of("dvae"), path_of("prior"), NULL },
                          path_of("exact"), DTYPE_F32, &err))
        fail_msg("%s", err.message);
    dalle_model *m = dalle_open(path_of("exact"), NULL, &failure);
    if (!m) fail_msg("%s", failure.message);
    dalle_request r = request_for("blue over a white", 2);
    r.temperature = 1;
    dalle_pictures *packed = drawn_by(m, &r);

    prior_shape shape = { SIDE_TOKENS, 32 };
    int32_t text[16], tokens[2 * TOKENS];
    int cut;
    prior_part *prior = prior_part_open(d, path_of("prior"), &shape, &err);
    prior_draw how = {
        .text = text, .seed = r.seed, .count = 2, .temperature = 1, .top_p = 1, .guidance = 1
    };
    bool ok = prior && prior_part_tokens(prior, r.caption, text, &cut, &err) &&
              prior_part_prepare(prior, 4, &err) && prior_sampler_draw(prior->sampler, &how, tokens, &err);
    if (!ok) fail_msg("%s", err.message);
    assert_memory_equal(packed->tokens, tokens, sizeof tokens);
    for (int64_t batch = 1; batch <= 4; batch += 3) assert_true(prior_part_prepare(prior, batch, &err));
    assert_int_equal(prior_sampler_built(prior->sampler), 2); /* for 1 when it was opened, and for 4 */
    dalle_pictures_free(packed);
    prior_part_close(prior);
    dalle_close(m);
    device_close(d);
}

static int64_t size_of(const char *path)
{
    struct stat s;
    assert_int_equal(stat(path, &s), 0);
    return s.st_size;
}

static void test_packed_sizes(void **state)
{
    (void)state;
    const dalle_model_info *info = dalle_get_info(model);
    int64_t prior = size_of(path_of("model/prior.safetensors"));
    assert_in_range(prior, 2 * info->prior_parameters, 2 * info->prior_parameters + 16384);
    static const char *const files[] = { "model.json", "dvae.cfg",        "prior.cfg",
                                         "words.txt",  "tokenizer.model", "dvae.safetensors" };
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        char name[64];
        snprintf(name, sizeof name, "model/%s", files[i]);
        assert_true(size_of(path_of(name)) > 0);
    }
}

/* ---- Folders that are no models ---- */

static void refused(const char *folder, const char *says)
{
    dalle_error err = { 0 };
    dalle_model *m = dalle_open(folder, NULL, &err);
    assert_null(m);
    print_message("%s\n", err.message);
    assert_in_range(err.status, 1, 2);
    if (!strstr(err.message, says)) fail_msg("'%s' does not say '%s'", err.message, says);
}

static void test_damaged_models(void **state)
{
    (void)state;
    refused(NULL, "no model folder");
    refused(path_of("nowhere"), "nowhere");
    refused(path_of("data.tar"), "data.tar");
    assert_true(file_make_folders(path_of("void"), NULL));
    refused(path_of("void"), "void");

    copy_model();
    copy_cut(path_of("model/prior.safetensors"), path_of("bad/prior.safetensors"), -100);
    refused(path_of("bad"), "prior.safetensors");
    copy_cut(path_of("model/dvae.safetensors"), path_of("bad/prior.safetensors"), 1 << 30);
    refused(path_of("bad"), "prior");
    write_text(path_of("bad/prior.safetensors"), "foreign");
    refused(path_of("bad"), "prior.safetensors");

    copy_model();
    write_text(path_of("bad/dvae.safetensors"), "");
    refused(path_of("bad"), "dvae.safetensors");
    copy_model();
    unlink(path_of("bad/dvae.cfg"));
    refused(path_of("bad"), "dvae.cfg");
    copy_model();
    unlink(path_of("bad/tokenizer.model"));
    refused(path_of("bad"), "tokenizer.model");
    copy_model();
    write_text(path_of("bad/tokenizer.model"), "nothing of the kind");
    refused(path_of("bad"), "tokenizer.model");
    copy_model();
    write_text(path_of("bad/prior.cfg"), "layers = many\n");
    refused(path_of("bad"), "prior.cfg:1");
    copy_model();
    unlink(path_of("bad/prior.cfg"));
    refused(path_of("bad"), "prior.cfg"); /* half a prior is no model without one */
}

/* A prior with another dVAE than its own, or another tokenizer. */
static void test_parts_of_other_models(void **state)
{
    (void)state;
    static const char *const others[][4] = { { "steps=1", "codes=16", "sample_every=0", NULL },
                                             { "steps=1", "image_size=8", "sample_every=0", NULL } };
    error err;
    device *d = device_open(NULL, &err);
    for (int i = 0; i < 2; ++i) {
        const char *run = path_of(i ? "smaller" : "fewer");
        if (!d || !train_tiny("dvae", path_of("data.tar"), NULL, run, others[i], &err))
            fail_msg("%s", err.message);
        assert_false(pack_model(d, (const char *const[]){ run, path_of("prior"), NULL }, path_of("mixed"),
                                DTYPE_F16, &err));
        print_message("%s\n", err.message);
        assert_says(&err, "does not fit its dVAE");
        assert_false(file_exists(path_of("mixed/model.json")));
    }
    device_close(d);
    copy_model();
    if (!tokenizer_train(drawing_captions, DRAWINGS, 280, path_of("bad/tokenizer.model"), &err))
        fail_msg("%s", err.message);
    refused(path_of("bad"), "not trained together");
}

static int64_t figure(const pack_report *made, const char *name)
{
    const json_t *value = json_object_get(made->figures, name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* A dVAE of the same shape, whose tokens mean something else. */
static void test_prior_of_another_dvae(void **state)
{
    (void)state;
    static const char *const sets[] = { "steps=3", "batch=8", "sample_every=0", "seed=7", NULL },
                             *const prior_sets[] = { "steps=1", "text_vocabulary=288", "batch=8",
                                                     "sample_every=0", NULL };
    error err = { 0 };
    pack_report made;
    char dvae[100], prior[100], other[100], half[100], exact[100], out[100], on_model[100];
    snprintf(dvae, sizeof dvae, "%s/dvae", base.path);
    snprintf(prior, sizeof prior, "%s/prior", base.path);
    snprintf(other, sizeof other, "%s/other", base.path);
    snprintf(half, sizeof half, "%s/model", base.path); /* f16 */
    snprintf(exact, sizeof exact, "%s/exact32", base.path);
    snprintf(on_model, sizeof on_model, "%s/on-model", base.path);
    snprintf(out, sizeof out, "%s/other-model", base.path);
    device *d = device_open(NULL, &err);
    if (!d || !train_tiny("dvae", path_of("data.tar"), NULL, other, sets, &err) ||
        !train_tiny("prior", path_of("data.tar"), half, on_model, prior_sets, &err) ||
        !pack_model(d, (const char *const[]){ dvae, prior, NULL }, exact, DTYPE_F32, &err))
        fail_msg("%s", err.message);
    /* Of whichever form its prior and its dVAE are: only the other dVAE is refused, and nothing written. */
    const char *const priors[] = { prior, half, exact, on_model }, *const dvaes[] = { dvae, half, exact };
    for (int i = 0; i < 4; ++i) {
        assert_false(pack_model(d, (const char *const[]){ other, priors[i], NULL }, out, DTYPE_F16, &err));
        assert_int_equal(err.code, ERROR_MODEL);
        assert_says(&err, other);
        assert_says(&err, priors[i]);
        assert_says(&err, "--force");
        assert_false(file_exists(out));
        for (int j = 0; j < 3; ++j)
            if (!pack_model(d, (const char *const[]){ dvaes[j], priors[i], NULL }, path_of("again"),
                            DTYPE_F16, &err))
                fail_msg("%s with %s: %s", dvaes[j], priors[i], err.message);
    }
    const char *runs[] = { other, prior, NULL };
    pack_request forced = { runs, out, DTYPE_F16, true };
    assert_true(pack_parts(d, &forced, &made, &err));
    assert_int_equal(figure(&made, "codes"), 32);
    int64_t parameters = figure(&made, "prior_parameters");
    assert_true(parameters > 10000 && parameters == made.at[1].parameters && made.bytes > 2 * parameters);
    pack_report_free(&made);

    /* A pack without a prior leaves none of an earlier one's. */
    runs[1] = NULL;
    assert_true(pack_parts(d, &forced, &made, &err));
    assert_int_equal(made.count, 1);
    assert_int_equal(figure(&made, "prior_parameters"), 0);
    pack_report_free(&made);
    assert_false(file_exists(path_of("other-model/prior.safetensors")) ||
                 file_exists(path_of("other-model/words.txt")));
    device_close(d);
}

static void expect_weights(const char *run, const char *part, const char *name)
{
    error err;
    part_files files;
    if (!part_files_find(path_of(run), kinds_find(part), &files, &err)) fail_msg("%s", err.message);
    const char *slash = strrchr(files.weights, '/');
    assert_string_equal(slash + 1, name);
    part_files_free(&files);
}

/* A dVAE's best checkpoint is taken, a prior's last, whose loss may long have turned. */
static void test_which_checkpoint(void **state)
{
    (void)state;
    for (int i = 0; i < 2; ++i) {
        const char *run = i ? "dvae" : "prior";
        char from[64], best[64];
        snprintf(from, sizeof from, "%s/checkpoint.safetensors", run);
        snprintf(best, sizeof best, "%s/best.safetensors", run);
        expect_weights(run, run, "checkpoint.safetensors");
        copy_cut(path_of(from), path_of(best), 1 << 30);
        expect_weights(run, run, i ? "best.safetensors" : "checkpoint.safetensors");
        expect_weights(best, run, "best.safetensors");
        unlink(path_of(best));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_checkpoint),      cmocka_unit_test(test_pack_equals_run),
        cmocka_unit_test(test_packed_sizes),          cmocka_unit_test(test_damaged_models),
        cmocka_unit_test(test_parts_of_other_models), cmocka_unit_test(test_prior_of_another_dvae),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

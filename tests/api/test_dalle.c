/* test_dalle.c -- libdalle on a model trained a little: drawing, encoding, decoding, and every wrong request
 * as an error value.  Also what pack writes, and folders that are damaged.
 * SPDX-License-Identifier: MIT */
#include "host/api/dalle.h"
#include "data/safetensors.h"
#include "tests/models/drawings.h"
#include "tests/support/device_or_skip.h"

enum { SIDE = 16, SIDE_TOKENS = 8, TOKENS = SIDE_TOKENS * SIDE_TOKENS };

static room base;
static dalle_model *model;

static const char *path_of(const char *name)
{
    static char paths[4][200];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", base.path, name);
    return paths[turn];
}

static dalle_request request_for(const char *caption, int count)
{
    dalle_request r = DALLE_REQUEST_DEFAULTS;
    r.caption = caption;
    r.count = count;
    return r;
}

static dalle_pictures drawn_by(dalle_model *m, const dalle_request *r)
{
    dalle_pictures p;
    dalle_error err;
    if (!dalle_generate(m, r, &p, &err)) fail_msg("%s", err.message);
    assert_int_equal(p.count, r->count);
    assert_int_equal(p.side, SIDE);
    return p;
}

static void test_info(void **state)
{
    (void)state;
    dalle_model_info info;
    dalle_get_info(model, &info);
    assert_int_equal(info.side, SIDE);
    assert_int_equal(info.tokens_side, SIDE_TOKENS);
    assert_int_equal(info.codes, 32);
    assert_int_equal(info.text_tokens, 16);
    assert_int_equal(info.text_vocabulary, 288);
    assert_true(info.dvae_parameters > 1000 && info.prior_parameters > 10000);
    assert_non_null(info.device);
    assert_true(strlen(dalle_version()) >= 5);
}

static void test_generate(void **state)
{
    (void)state;
    dalle_request r = request_for("a red square", 3);
    dalle_pictures three = drawn_by(model, &r), one;
    r.first = 2;
    r.count = 1;
    one = drawn_by(model, &r);
    assert_memory_equal(one.tokens, three.tokens + 2 * TOKENS, TOKENS * sizeof *one.tokens);
    assert_memory_equal(one.rgb, three.rgb + 2 * DRAWING_BYTES, DRAWING_BYTES);
    assert_memory_equal(one.entropy, three.entropy + 2, sizeof *one.entropy);
    assert_true(fabs(one.mean_entropy - (double)one.entropy[0]) < 1e-6);
    assert_true(one.mean_entropy > 0 && one.mean_entropy < log(32));
    assert_false(one.unsure); /* it was never measured */
    dalle_pictures_free(&one);

    /* The pictures are the tokens, decoded. */
    dalle_error err;
    uint8_t again[3 * DRAWING_BYTES];
    if (!dalle_decode(model, three.tokens, 3, again, &err)) fail_msg("%s", err.message);
    assert_memory_equal(again, three.rgb, sizeof again);
    dalle_pictures_free(&three);
    assert_null(three.rgb);
    assert_null(three.entropy);
}

static void copy_model(void)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s/bad' && cp -r '%s/model' '%s/bad'", base.path, base.path,
             base.path);
    assert_int_equal(system(command), 0);
}

/* Stricter or looser than learned gives other pictures; a negative one is the model's own. */
static void test_guidance(void **state)
{
    (void)state;
    dalle_request r = request_for("a red square", 2);
    dalle_pictures own = drawn_by(model, &r), other;
    r.guidance = 1;
    other = drawn_by(model, &r);
    assert_memory_equal(own.tokens, other.tokens, 2 * TOKENS * sizeof *own.tokens);
    dalle_pictures_free(&other);
    r.guidance = 6;
    other = drawn_by(model, &r);
    assert_memory_not_equal(own.tokens, other.tokens, 2 * TOKENS * sizeof *own.tokens);
    dalle_pictures_free(&own);
    dalle_pictures_free(&other);
}

/* The guidance that the model's settings say is the one it draws with. */
static void test_own_guidance(void **state)
{
    (void)state;
    dalle_error err;
    copy_model();
    error none;
    char *text = file_read(path_of("bad/prior.cfg"), NULL, &none), *at;
    assert_non_null(text);
    assert_non_null(at = strstr(text, "\nguidance = 1\n"));
    at[strlen("\nguidance = ")] = '6';
    write_text(path_of("bad/prior.cfg"), text);
    free(text);
    dalle_model *m = dalle_open(path_of("bad"), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    dalle_request r = request_for("a red square", 2);
    dalle_pictures own = drawn_by(m, &r), other;
    r.guidance = 6;
    other = drawn_by(model, &r);
    assert_memory_equal(own.tokens, other.tokens, 2 * TOKENS * sizeof *own.tokens);
    dalle_pictures_free(&own);
    dalle_pictures_free(&other);
    dalle_close(m);
}

static void test_codec(void **state)
{
    (void)state;
    dalle_error err;
    uint8_t rgb[DRAWINGS * DRAWING_BYTES], again[DRAWINGS * DRAWING_BYTES];
    int32_t tokens[DRAWINGS * TOKENS];
    for (int i = 0; i < DRAWINGS; ++i) drawing_pixels(i, rgb + i * DRAWING_BYTES);
    assert_true(dalle_encode(model, rgb, DRAWINGS, tokens, &err));
    assert_true(dalle_decode(model, tokens, DRAWINGS, again, &err));
    tokens[0] = 32;
    assert_false(dalle_decode(model, tokens, 1, again, &err));
    assert_int_equal(err.status, 2);
}

static void wrong(dalle_request r)
{
    dalle_error err = { 0 };
    dalle_pictures p;
    assert_false(dalle_generate(model, &r, &p, &err));
    assert_null(p.rgb);
    assert_null(p.tokens);
    print_message("%s\n", err.message);
    assert_int_equal(err.status, 2);
    assert_true(strlen(err.message) > 10);
    assert_false(dalle_generate(model, &r, &p, NULL)); /* the error may be left out */
}

static void test_wrong_requests(void **state)
{
    (void)state;
    dalle_request r = request_for("\xff\xfe heart", 1);
    wrong(r);
    wrong(request_for("", 1));
    wrong(request_for("   ", 1));
    wrong(request_for("\t\r\n \xe3\x80\x80\xc2\xa0\xe2\x80\x8b", 1)); /* wide, unbroken and without width */
    wrong(request_for(NULL, 1));
    wrong(request_for("a", 0));
    wrong(request_for("a", 513));
    wrong(request_for("a", -7));
    r = request_for("a", 1);
    r.temperature = (double)NAN;
    wrong(r);
    r = request_for("a", 1);
    r.temperature = (double)INFINITY;
    wrong(r);
    r = request_for("a", 1);
    r.top_p = 2;
    wrong(r);
    r.top_p = (double)NAN;
    wrong(r);
    r = request_for("a", 1);
    r.guidance = 20.5;
    wrong(r);
    r.guidance = (double)NAN;
    wrong(r);
    r = request_for("a", 1);
    r.first = -1;
    wrong(r);
}

/* More words than there are text positions: cut, not refused; and the model still draws as before. */
static void test_long_caption(void **state)
{
    (void)state;
    enum { WORDS = 10000 };
    char *caption = calloc(WORDS, 6);
    for (int i = 0; i < WORDS; ++i) memcpy(caption + i * 5, "word ", 6);
    dalle_request r = request_for(caption, 1);
    dalle_pictures p;
    dalle_error err = { 0 };
    bool ok = dalle_generate(model, &r, &p, &err);
    print_message("10,000 words: %s\n", ok ? "cut" : err.message);
    if (!ok) assert_int_equal(err.status, 2);
    dalle_pictures_free(&p);
    free(caption);
    r = request_for("a red square", 1);
    p = drawn_by(model, &r);
    dalle_pictures_free(&p);
}

static bool stop(void *context, int done, int total)
{
    ++*(int *)context;
    assert_in_range(done, 0, total);
    return false;
}

static void test_progress(void **state)
{
    (void)state;
    int calls = 0;
    dalle_request r = request_for("a red square", 4);
    r.progress = stop;
    r.context = &calls;
    dalle_pictures p;
    dalle_error err;
    assert_false(dalle_generate(model, &r, &p, &err));
    assert_null(p.rgb);
    assert_int_equal(calls, 1);
    assert_int_equal(err.status, 1);
    assert_non_null(strstr(err.message, "stopped"));
}

static void test_unknown_words(void **state)
{
    (void)state;
    char *unseen = dalle_unknown_words(model, "a red zebra over Mars");
    assert_string_equal(unseen, "zebra, mars");
    dalle_free(unseen);
    assert_null(dalle_unknown_words(model, "a red square"));
    assert_null(dalle_unknown_words(model, NULL));
}

/* A word stands for four tokens at least in so small a vocabulary. */
static void test_lost_words(void **state)
{
    (void)state;
    const char *caption = "A red square over a white quagmire at Zanzibar";
    char *lost = dalle_lost_words(model, caption);
    assert_non_null(lost);
    size_t length = strlen(lost);
    print_message("lost: %s\n", lost);
    assert_string_equal(lost + length - 8, "zanzibar");
    assert_true(length < strlen(caption));
    /* It starts with a whole word of the caption, and what is before it is read. */
    size_t kept = strlen(caption) - length;
    assert_int_equal(caption[kept - 1], ' ');
    char *start = strndup(caption, kept - 1);
    assert_null(dalle_lost_words(model, start));
    free(start);
    dalle_free(lost);
    assert_null(dalle_lost_words(model, "a red square"));
    assert_null(dalle_lost_words(model, ""));
    assert_null(dalle_lost_words(model, NULL));
    assert_null(dalle_lost_words(model, "\xff"));
}

/* ---- Packing ---- */

/* A run draws what the folder packed from it as f32 draws. */
static void test_pack_equals_run(void **state)
{
    (void)state;
    error err;
    dalle_error failure;
    device *d = device_open(NULL, &err);
    if (!d || !pack_model(d, path_of("dvae"), path_of("prior"), path_of("exact"), DTYPE_F32, &err))
        fail_msg("%s", err.message);
    dalle_model *m = dalle_open(path_of("exact"), NULL, &failure);
    if (!m) fail_msg("%s", failure.message);
    dalle_request r = request_for("blue over a white", 2);
    r.temperature = 1;
    dalle_pictures packed = drawn_by(m, &r);

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
    assert_memory_equal(packed.tokens, tokens, sizeof tokens);
    dalle_pictures_free(&packed);
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
    dalle_model_info info;
    dalle_get_info(model, &info);
    int64_t prior = size_of(path_of("model/prior.safetensors"));
    assert_in_range(prior, 2 * info.prior_parameters, 2 * info.prior_parameters + 16384);
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
        assert_false(pack_model(d, run, path_of("prior"), path_of("mixed"), DTYPE_F16, &err));
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
        !pack_model(d, dvae, prior, exact, DTYPE_F32, &err))
        fail_msg("%s", err.message);
    /* Of whichever form its prior and its dVAE are: only the other dVAE is refused, and nothing written. */
    const char *const priors[] = { prior, half, exact, on_model }, *const dvaes[] = { dvae, half, exact };
    for (int i = 0; i < 4; ++i) {
        assert_false(pack_model(d, other, priors[i], out, DTYPE_F16, &err));
        assert_int_equal(err.code, ERROR_MODEL);
        assert_says(&err, other);
        assert_says(&err, priors[i]);
        assert_says(&err, "--force");
        assert_false(file_exists(out));
        for (int j = 0; j < 3; ++j)
            if (!pack_model(d, dvaes[j], priors[i], path_of("again"), DTYPE_F16, &err))
                fail_msg("%s with %s: %s", dvaes[j], priors[i], err.message);
    }
    pack_request forced = { other, prior, out, DTYPE_F16, true };
    assert_true(pack_parts(d, &forced, &made, &err));
    assert_int_equal(made.codes, 32);
    assert_true(made.prior_parameters > 10000 && made.bytes > 2 * made.prior_parameters);

    /* A pack without a prior leaves none of an earlier one's. */
    forced.prior_run = NULL;
    assert_true(pack_parts(d, &forced, &made, &err));
    assert_int_equal(made.prior_parameters, 0);
    assert_false(file_exists(path_of("other-model/prior.safetensors")) ||
                 file_exists(path_of("other-model/words.txt")));
    device_close(d);
}

static void test_without_prior(void **state)
{
    (void)state;
    error err;
    dalle_error failure;
    device *d = device_open(NULL, &err);
    if (!d || !pack_model(d, path_of("dvae"), NULL, path_of("codec"), DTYPE_F16, &err))
        fail_msg("%s", err.message);
    device_close(d);
    dalle_model *m = dalle_open(path_of("codec"), NULL, &failure);
    if (!m) fail_msg("%s", failure.message);
    dalle_request r = request_for("a", 1);
    dalle_pictures p;
    assert_false(dalle_generate(m, &r, &p, &failure));
    assert_int_equal(failure.status, 2);
    dalle_close(m);
}

static void test_no_such_device(void **state)
{
    (void)state;
    dalle_error err;
    assert_null(dalle_open(path_of("model"), "no-such-device", &err));
    print_message("%s\n", err.message);
    assert_int_equal(err.status, 2);
    assert_null(dalle_open(path_of("model"), "no-such-device", NULL));
    dalle_close(NULL);
    dalle_pictures_free(NULL);
}

static int set_up(void **state)
{
    (void)state;
    dalle_error err;
    base = room_create();
    make_model(&base, "steps=30", "steps=30", DTYPE_F16);
    model = dalle_open(path_of("model"), NULL, &err);
    if (!model) fprintf(stderr, "%s\n", err.message);
    return model ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    dalle_close(model);
    room_remove(&base);
    return 0;
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_guidance),
        cmocka_unit_test(test_own_guidance),
        cmocka_unit_test(test_codec),
        cmocka_unit_test(test_wrong_requests),
        cmocka_unit_test(test_long_caption),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_unknown_words),
        cmocka_unit_test(test_lost_words),
        cmocka_unit_test(test_pack_equals_run),
        cmocka_unit_test(test_packed_sizes),
        cmocka_unit_test(test_damaged_models),
        cmocka_unit_test(test_parts_of_other_models),
        cmocka_unit_test(test_prior_of_another_dvae),
        cmocka_unit_test(test_without_prior),
        cmocka_unit_test(test_no_such_device),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

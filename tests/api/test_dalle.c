/* test_dalle.c -- libdalle on a model trained a little: drawing, encoding, decoding, and every wrong request
 * as an error value.
 * SPDX-License-Identifier: MIT */
#include "tests/api/trained.h"

static void test_info(void **state)
{
    (void)state;
    const dalle_model_info *info = dalle_get_info(model);
    assert_int_equal(info->side, SIDE);
    assert_int_equal(info->tokens_side, SIDE_TOKENS);
    assert_int_equal(info->codes, 32);
    assert_int_equal(info->text_tokens, 16);
    assert_int_equal(info->text_vocabulary, 288);
    assert_true(info->dvae_parameters > 1000 && info->prior_parameters > 10000);
    assert_non_null(info->device);
    assert_true(strlen(dalle_version()) >= 5);
}

static void test_generate(void **state)
{
    (void)state;
    dalle_request r = request_for("a red square", 3);
    dalle_pictures *three = drawn_by(model, &r), *one;
    r.first = 2;
    r.count = 1;
    one = drawn_by(model, &r);
    assert_memory_equal(one->tokens, three->tokens + 2 * TOKENS, TOKENS * sizeof *one->tokens);
    assert_memory_equal(one->rgb, three->rgb + 2 * DRAWING_BYTES, DRAWING_BYTES);
    assert_memory_equal(one->entropy, three->entropy + 2, sizeof *one->entropy);
    assert_true(fabs(one->mean_entropy - (double)one->entropy[0]) < 1e-6);
    assert_true(one->mean_entropy > 0 && one->mean_entropy < log(32));
    assert_false(one->unsure); /* it was never measured */
    dalle_pictures_free(one);

    /* The pictures are the tokens, decoded. */
    dalle_error err;
    uint8_t again[3 * DRAWING_BYTES];
    if (!dalle_decode(model, three->tokens, 3, again, &err)) fail_msg("%s", err.message);
    assert_memory_equal(again, three->rgb, sizeof again);
    dalle_pictures_free(three);
}

/* Stricter or looser than learned gives other pictures; a negative one is the model's own. */
static void test_guidance(void **state)
{
    (void)state;
    dalle_request r = request_for("a red square", 2);
    dalle_pictures *own = drawn_by(model, &r), *other;
    r.guidance = 1;
    other = drawn_by(model, &r);
    assert_memory_equal(own->tokens, other->tokens, 2 * TOKENS * sizeof *own->tokens);
    dalle_pictures_free(other);
    r.guidance = 6;
    other = drawn_by(model, &r);
    assert_memory_not_equal(own->tokens, other->tokens, 2 * TOKENS * sizeof *own->tokens);
    dalle_pictures_free(own);
    dalle_pictures_free(other);
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
    dalle_pictures *own = drawn_by(m, &r), *other;
    r.guidance = 6;
    other = drawn_by(model, &r);
    assert_memory_equal(own->tokens, other->tokens, 2 * TOKENS * sizeof *own->tokens);
    dalle_pictures_free(own);
    dalle_pictures_free(other);
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
    assert_null(dalle_generate(model, &r, &err));
    print_message("%s\n", err.message);
    assert_int_equal(err.status, 2);
    assert_int_equal(err.kind, DALLE_USAGE);
    assert_true(strlen(err.message) > 10);
    assert_null(dalle_generate(model, &r, NULL)); /* the error may be left out */
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
    dalle_error err = { 0 };
    dalle_pictures *p = dalle_generate(model, &r, &err);
    print_message("10,000 words: %s\n", p ? "cut" : err.message);
    if (!p) assert_int_equal(err.status, 2);
    dalle_pictures_free(p);
    free(caption);
    r = request_for("a red square", 1);
    p = drawn_by(model, &r);
    dalle_pictures_free(p);
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
    dalle_error err;
    assert_null(dalle_generate(model, &r, &err));
    assert_int_equal(calls, 1);
    assert_int_equal(err.status, 1);
    assert_int_equal(err.kind, DALLE_STOPPED);
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

static void test_without_prior(void **state)
{
    (void)state;
    error err;
    dalle_error failure;
    device *d = device_open(NULL, &err);
    if (!d || !pack_model(d, (const char *const[]){ path_of("dvae"), NULL, NULL }, path_of("codec"),
                          DTYPE_F16, &err))
        fail_msg("%s", err.message);
    device_close(d);
    dalle_model *m = dalle_open(path_of("codec"), NULL, &failure);
    if (!m) fail_msg("%s", failure.message);
    dalle_request r = request_for("a", 1);
    assert_null(dalle_generate(m, &r, &failure));
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

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info),          cmocka_unit_test(test_generate),
        cmocka_unit_test(test_guidance),      cmocka_unit_test(test_own_guidance),
        cmocka_unit_test(test_codec),         cmocka_unit_test(test_wrong_requests),
        cmocka_unit_test(test_long_caption),  cmocka_unit_test(test_progress),
        cmocka_unit_test(test_unknown_words), cmocka_unit_test(test_lost_words),
        cmocka_unit_test(test_without_prior), cmocka_unit_test(test_no_such_device),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

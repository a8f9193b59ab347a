/* test_contract.c -- what dalle.h promises besides pictures: NULL is an error, structures of older and newer
 * programs are taken as far as they can be, kinds of errors, messages, PNG files.
 * SPDX-License-Identifier: MIT */
#include "host/base/log.h"
#include "tests/api/trained.h"

#include <limits.h>

static dalle_error failure;

static void is(dalle_kind kind, const char *says)
{
    print_message("%s\n", failure.message);
    assert_int_equal(failure.kind, kind);
    assert_int_equal(failure.status, kind == DALLE_USAGE ? 2 : 1);
    if (!strstr(failure.message, says)) fail_msg("'%s' does not say '%s'", failure.message, says);
    failure = (dalle_error){ 0 };
}

/* ---- NULL ---- */

static void test_null(void **state)
{
    (void)state;
    uint8_t rgb[DRAWING_BYTES] = { 0 };
    int32_t tokens[TOKENS] = { 0 };
    const char *const nowhere[] = { NULL };
    size_t size;
    dalle_request r = request_for("a red square", 1);
    assert_null(dalle_open(NULL, NULL, &failure));
    is(DALLE_USAGE, "no model folder");
    assert_null(dalle_get_info(NULL));
    assert_null(dalle_generate(NULL, &r, &failure));
    is(DALLE_USAGE, "the model is NULL");
    assert_null(dalle_generate(model, NULL, &failure));
    is(DALLE_USAGE, "the request is NULL");
    assert_false(dalle_encode(NULL, rgb, 1, tokens, &failure));
    is(DALLE_USAGE, "the model");
    assert_false(dalle_encode(model, NULL, 1, tokens, &failure));
    is(DALLE_USAGE, "what is to be turned");
    assert_false(dalle_encode(model, rgb, 1, NULL, &failure));
    is(DALLE_USAGE, "where the result goes");
    assert_false(dalle_decode(NULL, tokens, 1, rgb, &failure));
    is(DALLE_USAGE, "the model");
    assert_false(dalle_decode(model, NULL, 1, rgb, &failure));
    is(DALLE_USAGE, "what is to be turned");
    assert_false(dalle_decode(model, tokens, 1, NULL, &failure));
    is(DALLE_USAGE, "where the result goes");
    assert_null(dalle_unknown_words(NULL, "a"));
    assert_null(dalle_lost_words(NULL, "a"));
    assert_null(dalle_encode_png(NULL, 1, 4, 0, &size, &failure));
    is(DALLE_USAGE, "the pictures");
    assert_null(dalle_encode_png(rgb, 1, 4, 0, NULL, &failure));
    is(DALLE_USAGE, "where the size goes");
    assert_false(dalle_write_png(NULL, rgb, 1, 4, 0, &failure));
    is(DALLE_USAGE, "the file's name");
    assert_null(dalle_read_pictures(NULL, 1, 4, &failure));
    is(DALLE_USAGE, "the list");
    assert_null(dalle_read_pictures(nowhere, 1, 4, &failure));
    is(DALLE_USAGE, "a file's name");
    dalle_request_init(NULL, sizeof r);
    dalle_pictures_free(NULL);
    dalle_close(NULL);
    dalle_free(NULL);
}

static void test_counts(void **state)
{
    (void)state;
    uint8_t rgb[DRAWING_BYTES] = { 0 };
    int32_t tokens[TOKENS] = { 0 };
    assert_false(dalle_encode(model, rgb, -1, tokens, &failure));
    is(DALLE_USAGE, "-1 pictures");
    assert_false(dalle_decode(model, tokens, INT_MAX, rgb, &failure));
    is(DALLE_USAGE, "2147483647 pictures");
    assert_true(dalle_encode(model, NULL, 0, NULL, &failure));
    size_t size;
    assert_null(dalle_encode_png(rgb, 0, 4, 0, &size, &failure));
    is(DALLE_USAGE, "0 pictures");
    assert_null(dalle_encode_png(rgb, 1, 0, 0, &size, &failure));
    is(DALLE_USAGE, "0 pixels");
    assert_null(dalle_encode_png(rgb, 1, 4, -2, &size, &failure));
    is(DALLE_USAGE, "-2 columns");
    assert_null(dalle_encode_png(rgb, 1000000, IMAGE_MAX_SIDE, 0, &size, &failure));
    failure = (dalle_error){ 0 };
}

static void test_png_texts(void **state)
{
    (void)state;
    uint8_t rgb[2 * 4 * 4 * 3] = { 0 };
    dalle_png_text texts[] = { { "Description", "a red square" }, { "score", "0.3\n0.2" } };
    size_t size, plain;
    void *png = dalle_encode_png_texts(rgb, 2, 4, 0, texts, 2, &size, &failure),
         *bare = dalle_encode_png(rgb, 2, 4, 0, &plain, &failure);
    assert_true(png && bare && size > plain);
    assert_non_null(memmem(png, size, "tEXtDescription\0a red square", 28));
    assert_non_null(memmem(png, size,
                           "tEXtscore\0"
                           "0.3\n0.2",
                           17));
    dalle_free(png);
    png = dalle_encode_png_texts(rgb, 2, 4, 0, NULL, 0, &size, &failure);
    assert_int_equal(size, plain);
    assert_memory_equal(png, bare, size);
    dalle_free(png);
    dalle_free(bare);
    assert_null(dalle_encode_png_texts(rgb, 2, 4, 0, NULL, 1, &size, &failure));
    is(DALLE_USAGE, "the list of texts is NULL");
    assert_null(dalle_encode_png_texts(rgb, 2, 4, 0, texts, -1, &size, &failure));
    is(DALLE_USAGE, "-1 texts");
    texts[1].keyword = "";
    assert_null(dalle_encode_png_texts(rgb, 2, 4, 0, texts, 2, &size, &failure));
    is(DALLE_USAGE, "no keyword");
    texts[1] = (dalle_png_text){ "score", "\xff" };
    assert_null(dalle_encode_png_texts(rgb, 2, 4, 0, texts, 2, &size, &failure));
    is(DALLE_USAGE, "UTF-8");
}

/* ---- Structures of other versions ---- */

typedef struct newer {
    dalle_request known;
    double more;
} newer;

static void test_sizes(void **state)
{
    (void)state;
    dalle_request r = request_for("a red square", 2), same;
    memset(&same, 0x5a, sizeof same);
    dalle_request_init(&same, sizeof same);
    same.caption = r.caption;
    same.count = 2;
    dalle_pictures *want = drawn_by(model, &r), *got = drawn_by(model, &same);
    assert_memory_equal(want->tokens, got->tokens, 2 * TOKENS * sizeof *want->tokens);
    dalle_pictures_free(got);

    newer n;
    dalle_request_init(&n.known, sizeof n);
    assert_int_equal(n.known.size, sizeof n);
    assert_true(n.more == 0);
    n.known.caption = r.caption;
    n.known.count = 2;
    got = drawn_by(model, &n.known);
    assert_memory_equal(want->tokens, got->tokens, 2 * TOKENS * sizeof *want->tokens);
    dalle_pictures_free(got);
    dalle_pictures_free(want);
    n.more = 0.5;
    assert_null(dalle_generate(model, &n.known, &failure));
    is(DALLE_USAGE, "does not know");

    r = (dalle_request){ .caption = "a red square", .count = 1 }; /* not from the defaults */
    assert_null(dalle_generate(model, &r, &failure));
    is(DALLE_USAGE, "DALLE_REQUEST_DEFAULTS");
}

/* What only models that draw by diffusion do. */
static void test_other_family(void **state)
{
    (void)state;
    uint8_t rgb[DRAWING_BYTES] = { 0 };
    const dalle_sampling s = DALLE_SAMPLING_DEFAULTS;
    dalle_request r = request_for("a red square", 1);
    assert_int_equal(dalle_get_info(model)->family, DALLE_DRAWS_TOKENS);
    assert_int_equal(dalle_get_info(model)->drawn_side, SIDE);
    r.sampling = &s;
    assert_null(dalle_generate(model, &r, &failure));
    is(DALLE_USAGE, "draws tokens one by one");
    dalle_change c;
    memset(&c, 0x5a, sizeof c);
    dalle_change_init(&c, sizeof c);
    c.rgb = rgb;
    c.side = SIDE;
    assert_null(dalle_vary(model, &c, &failure));
    is(DALLE_USAGE, "dalle-cl train decoder");
    assert_null(dalle_vary(NULL, &c, &failure));
    is(DALLE_USAGE, "the model is NULL");
    unsigned parts;
    assert_true(dalle_find_parts(path_of("model"), &parts, &failure));
    assert_int_equal(parts, DALLE_DVAE | DALLE_PRIOR);
    assert_false(dalle_find_parts(NULL, &parts, &failure));
    is(DALLE_USAGE, "the model's folder is NULL");
    dalle_change_init(NULL, sizeof c);
    dalle_sampling_init(NULL, sizeof s);
}

/* ---- Kinds of errors, and messages ---- */

static void test_kinds(void **state)
{
    (void)state;
    assert_null(dalle_open(path_of("no-such-folder"), NULL, &failure));
    assert_true(failure.kind == DALLE_IO || failure.kind == DALLE_USAGE);
    failure = (dalle_error){ 0 };
    copy_model();
    write_text(path_of("bad/dvae.safetensors"), "no tensors");
    assert_null(dalle_open(path_of("bad"), NULL, &failure));
    is(DALLE_FORMAT, "dvae.safetensors");
    uint8_t rgb[3] = { 0 };
    assert_false(dalle_write_png(path_of("no/such/folder.png"), rgb, 1, 1, 0, &failure));
    is(DALLE_IO, "folder.png");
}

typedef struct heard {
    int warnings, news;
    char last[200];
} heard;

static void hear(void *context, dalle_message what, const char *text)
{
    heard *h = context;
    *(what == DALLE_WARNING ? &h->warnings : &h->news) += 1;
    snprintf(h->last, sizeof h->last, "%s", text);
}

static void test_listener(void **state)
{
    (void)state;
    heard h = { 0 };
    dalle_listen(hear, &h);
    log_warn("%d of %d", 3, 4);
    assert_int_equal(h.warnings, 1);
    assert_string_equal(h.last, "3 of 4");
    log_info("a word");
    assert_int_equal(h.news, 1);
    assert_string_equal(h.last, "a word");
    log_progress("half");
    assert_int_equal(h.news + h.warnings, 2);
    dalle_listen(NULL, NULL);
    log_info("to standard error");
    assert_int_equal(h.news, 1);
}

/* ---- Pictures as files ---- */

static void test_png(void **state)
{
    (void)state;
    enum { COUNT = 3, AROUND = 2 };
    uint8_t rgb[COUNT * DRAWING_BYTES];
    for (int i = 0; i < COUNT; ++i) drawing_pixels(i, rgb + i * DRAWING_BYTES);
    if (!dalle_write_png(path_of("one.png"), rgb + DRAWING_BYTES, 1, SIDE, 0, &failure) ||
        !dalle_write_png(path_of("row.png"), rgb, COUNT, SIDE, COUNT, &failure))
        fail_msg("%s", failure.message);
    const char *const paths[] = { path_of("one.png") };
    uint8_t *again = dalle_read_pictures(paths, 1, SIDE, &failure);
    if (!again) fail_msg("%s", failure.message);
    assert_memory_equal(again, rgb + DRAWING_BYTES, DRAWING_BYTES);
    dalle_free(again);

    /* The same reader as training's: a WebP with a colour profile. */
    write_golden("webp_lossless_p3.file", path_of("p3.webp"));
    const char *const others[] = { path_of("p3.webp") };
    image whole, fitted;
    assert_true(image_read(others[0], &whole, NULL) && image_fit(&whole, SIDE, &fitted, NULL));
    if (!(again = dalle_read_pictures(others, 1, SIDE, &failure))) fail_msg("%s", failure.message);
    assert_memory_equal(again, fitted.pixels, DRAWING_BYTES);
    image_free(&whole);
    image_free(&fitted);
    dalle_free(again);

    size_t bytes, on_disk;
    error err;
    void *png = dalle_encode_png(rgb, COUNT, SIDE, COUNT, &bytes, &failure);
    char *file = file_read(path_of("row.png"), &on_disk, &err);
    assert_non_null(png);
    assert_non_null(file);
    assert_int_equal(bytes, on_disk);
    assert_memory_equal(png, file, bytes);
    free(file);
    dalle_free(png);
    image row;
    if (!image_read(path_of("row.png"), &row, &err)) fail_msg("%s", err.message);
    assert_int_equal(row.width, COUNT * (SIDE + AROUND) + AROUND);
    assert_int_equal(row.height, SIDE + 2 * AROUND);
    image_free(&row);
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null),         cmocka_unit_test(test_counts),    cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_other_family), cmocka_unit_test(test_png_texts), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_listener),     cmocka_unit_test(test_png),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* test_bpe.c -- CLIP's tokenizer against tokens that open_clip gave odd captions, its merges file when it is
 * broken, dropout and decoding.  tools/make_clip_golden.py made the files in tests/golden.
 * With DALLE_CL_CLIP_MERGES naming the published file, that is opened too.
 * SPDX-License-Identifier: MIT */
#include "data/tokenizer.h"
#include "data/tokenizer_grow.h"

#include "host/base/file.h"
#include "host/base/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

typedef struct fixture {
    char *text; /* the merges file's */
    size_t size;
    char *merges, *other;
    json_t *captions; /* [text, [id, ...]] */
    tokenizer *t;
} fixture;

static char *golden(const char *name)
{
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    char *golden_folder = file_join(folder ? folder : "tests", "golden"),
         *path = file_join(golden_folder, name);
    free(golden_folder);
    return path;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    error err = { 0 };
    char *path = golden("clip_captions.json");
    f->captions = json_load_file(path, 0, NULL);
    free(path);
    assert_non_null(f->captions);
    f->merges = golden("clip_merges.txt");
    f->text = file_read(f->merges, &f->size, &err);
    f->t = tokenizer_open(f->merges, &err);
    if (!f->t) fail_msg("%s", err.message);
    f->other = strdup("dalle-bpe-XXXXXX");
    int descriptor = mkstemp(f->other);
    assert_true(descriptor >= 0);
    close(descriptor);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    tokenizer_close(f->t);
    json_decref(f->captions);
    remove(f->other);
    free(f->other);
    free(f->merges);
    free(f->text);
    free(f);
    return 0;
}

static void expect(const tokenizer *t, const char *text, const json_t *wanted)
{
    error err = { 0 };
    int32_t *ids = NULL;
    int count = tokenizer_encode(t, text, &ids, &err);
    if (count != (int)json_array_size(wanted))
        fail_msg("'%s': %d tokens, not %zu: %s", text, count, json_array_size(wanted), err.message);
    for (int i = 0; i < count; ++i)
        if (ids[i] != json_integer_value(json_array_get(wanted, (size_t)i)))
            fail_msg("'%s': token %d is %d", text, i, (int)ids[i]);
    free(ids);
}

static void golden_captions(void **state)
{
    fixture *f = *state;
    size_t tokens = 0;
    assert_true(json_array_size(f->captions) > 300);
    for (size_t i = 0; i < json_array_size(f->captions); ++i) {
        const json_t *row = json_array_get(f->captions, i), *ids = json_array_get(row, 1);
        expect(f->t, json_string_value(json_array_get(row, 0)), ids);
        tokens += json_array_size(ids);
    }
    assert_true(tokens > 10000);
}

/* The text that the tokens spell, words apart. */
static void reads(const fixture *f, const char *text, const char *wanted)
{
    error err = { 0 };
    int32_t *ids = NULL;
    int count = tokenizer_encode(f->t, text, &ids, &err);
    char *decoded = tokenizer_decode(f->t, ids, count, &err);
    assert_string_equal(decoded, wanted);
    free(decoded);
    free(ids);
}

static void cleaning(void **state)
{
    fixture *f = *state;
    static const char *const cases[][2] = {
        { "", "" },
        { " \t\r\n\xe3\x80\x80 ", "" },
        { "A  Dog,\nand 12 cats", "a dog , and 1 2 cats" },
        { "it's WE'LL y'all'd", "it 's we 'll y ' all 'd" },
        { "\xef\xbc\xac\xef\xbc\xaf\xef\xbc\xb5\xef\xbc\xa4 \xef\xbd\xb6", "loud カ" },
        { "ﬂubberiﬁc Ǆ Ĳ", "flubberific dž ij" },
        { "“a” ‘b’", "\" a \" ' b '" },
        { "\x1b[1;31mred\x1b[0m\x07 \xef\xbb\xbfx", "red x" },
        { "e\xcc\x81 A\xcc\x8a", "é å" },
        { "ΣΑΣ ΟΔΟΣ İ ẞ", "σας οδος i ̇ ß" },
        { "&eacute; &EACUTE; &amp;lt;b&amp;gt; &notit; &#x41;&#0;&#x80;", "é é < b > ¬ it ; a �€" },
        { "<p> &eacute; &amp;amp; &hellip", "< p > é & & hellip" },
        { "&CounterClockwiseContourIntegral; &#99999999999; &#xd800; &#1; &;", "∳ � � &;" },
        { "caf\xc3\x83\xc2\xa9 \xc3\xa2\xc5\x93\xe2\x80\x9d ok", "café ✔ ok" },
        { "Ã la carte, voilÃ le travail", "à la carte , voilà le travail" },
        { "â€œlostâ€\xef\xbf\xbd", "\" lost �" },
        { "café naïve Ångström Ã", "café naïve ångström ã" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) reads(f, cases[i][0], cases[i][1]);
}

static void its_own_tokens(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    int tokens = tokenizer_vocabulary(f->t);
    assert_int_equal(tokenizer_begin(f->t), tokens - 2);
    assert_int_equal(tokenizer_end(f->t), tokens - 1);
    assert_string_equal(tokenizer_piece(f->t, tokens - 1), "<end_of_text>");
    assert_string_equal(tokenizer_piece(f->t, 0), "!");
    assert_string_equal(tokenizer_piece(f->t, 256 + 188), "Ā</w>"); /* the byte 0, where a word ends */
    char *text =
        tokenizer_decode(f->t, (int32_t[]){ tokens - 2, 64, 320, 188, 100, 256, tokens - 1 }, 7, &err);
    assert_string_equal(text, "aa ��!"); /* a zero, and half a character */
    free(text);
    assert_null(tokenizer_decode(f->t, (int32_t[]){ tokens }, 1, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_true(tokenizer_begins_word(f->t, (int32_t[]){ 64, 320, 64 }, 0));
    assert_false(tokenizer_begins_word(f->t, (int32_t[]){ 64, 320, 64 }, 1));
    assert_true(tokenizer_begins_word(f->t, (int32_t[]){ 64, 320, 64 }, 2));
}

static void saved(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    static const char *const more[] = { "quokka", "quokka" };
    for (int grown = 0; grown < 2; ++grown) {
        assert_true(grown ? tokenizer_grow(f->t, more, 2, 9, f->other, &err)
                          : tokenizer_save(f->t, f->other, &err));
        tokenizer *again = tokenizer_open(f->other, &err);
        assert_non_null(again);
        assert_string_equal(tokenizer_hash(again), tokenizer_hash(f->t));
        tokenizer_close(again);
    }
}

static void dropout(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    const philox rng = { 1, 2, 3 };
    const char *text = "painting of a dog's photo";
    int32_t *plain = NULL, *none = NULL, *all = NULL;
    int count = tokenizer_encode(f->t, text, &plain, &err);
    /* One merge at a time gives what all of a kind at once do. */
    assert_int_equal(tokenizer_encode_dropout(f->t, text, 0, &rng, &none, &err), count);
    assert_memory_equal(plain, none, (size_t)count * sizeof *plain);
    assert_int_equal(tokenizer_encode_dropout(f->t, text, 1, &rng, &all, &err), 21); /* letters */
    char *decoded = tokenizer_decode(f->t, all, 21, &err);
    assert_string_equal(decoded, "painting of a dog 's photo");
    free(decoded);
    free(plain);
    free(none);
    free(all);
    int longest = count;
    for (uint32_t i = 0; i < 20; ++i) {
        const philox other = { 1, i, 3 };
        int some = tokenizer_encode_dropout(f->t, text, 0.3f, &other, &all, &err);
        assert_in_range(some, count, 21);
        longest = some > longest ? some : longest;
        free(all);
    }
    assert_true(longest > count);
}

static void refuses(const fixture *f, const void *bytes, size_t size, const char *message)
{
    error err = { 0 };
    assert_true(file_write(f->other, bytes, size, &err));
    tokenizer *t = tokenizer_open(f->other, &err);
    tokenizer_close(t);
    if (t || !strstr(err.message, message)) fail_msg("'%s' does not say '%s'", t ? "" : err.message, message);
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_non_null(strstr(err.message, f->other));
}

static void broken_files(void **state)
{
    fixture *f = *state;
    static const char *const cases[][2] = {
        { "#version: 0.2 merges: 2\ni n\n", "it ends after 1 of 2 merges; was it cut short?" },
        { "#version: 0.2 merges: 2\ni n\nt", ":3: not a usable tokenizer: a merge is two symbols" },
        { "#version: 0.2 merges: 1\ni n g\n", ":2: not a usable tokenizer: a merge is two symbols" },
        { "#version: 0.2 merges: 1\n\n", ":2: not a usable tokenizer: a merge is two symbols" },
        { "#version: 0.2 merges: 2\ni n\nin\xff g\n", ":3: not a usable tokenizer: a merge joins something" },
        { "#version: 0.2 merges: 1\nin g\n", "a merge joins something that no line before it makes" },
        { "#version: 0.2 merges: 2\ni n\ni n\n", ":3: not a usable tokenizer: a merge makes what is there" },
        { "#version: 0.2 merges: 1\ni</w> n\n", "a merge goes on behind the end of a word" },
        { "#version: 0.2 merges: 1\ni n\n", "no merge ends a word with '</w>', as CLIP's do" },
        { "#version: 0.2 merges: -1\n", "the number of merges is not one from 0 to 48894" },
        { "#version: 0.2 merges: 48895\n", "the number of merges is not one from 0 to 48894" },
        { "#version: 0.2 merges: many\n", "the number of merges is not one from 0 to 48894" },
        { "#version: 0.2\ni n\n", "it ends after 1 of 48894 merges" },
        { "i n\nt h\n", "not a usable tokenizer" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        refuses(f, cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

/* Two runs of Windows' line ends or none at the end make no difference. */
static void line_ends(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    const char text[] = "#version: 0.2 merges: 2\r\ni n\r\nin g</w>";
    assert_true(file_write(f->other, text, sizeof text - 1, &err));
    tokenizer *t = tokenizer_open(f->other, &err);
    if (!t) fail_msg("%s", err.message);
    assert_int_equal(tokenizer_vocabulary(t), 516);
    assert_string_equal(tokenizer_piece(t, 513), "ing</w>");
    tokenizer_close(t);
}

static size_t pack(const void *text, size_t size, unsigned char *out, size_t room)
{
    z_stream z = {
        .next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)room
    };
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void packed_files(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    size_t room = f->size + 4096;
    unsigned char *packed = malloc(room);
    size_t size = pack(f->text, f->size, packed, room);
    assert_true(file_write(f->other, packed, size, &err));
    tokenizer *t = tokenizer_open(f->other, &err);
    if (!t) fail_msg("%s", err.message);
    assert_int_equal(tokenizer_vocabulary(t), tokenizer_vocabulary(f->t));
    const json_t *row = json_array_get(f->captions, 5);
    expect(t, json_string_value(json_array_get(row, 0)), json_array_get(row, 1));
    tokenizer_close(t);
    refuses(f, packed, size - 9, "gzip's data is cut short");
    refuses(f, packed, 2, "gzip's data is cut short");
    packed[size] = 0;
    refuses(f, packed, size + 1, "gzip's data goes on behind its end");
    packed[size - 6] ^= 1; /* the sum */
    refuses(f, packed, size, "gzip's data is broken");
    free(packed);
}

static void too_large(void **state)
{
    fixture *f = *state;
    size_t size = (16u << 20) + 1;
    char *text = malloc(size);
    unsigned char *packed = malloc(1 << 20);
    memset(text, 'x', size);
    memcpy(text, "#version", 8);
    refuses(f, packed, pack(text, size, packed, 1 << 20), "it is larger than 16 MiB when unpacked");
    free(packed);
    free(text);
}

static void wrong_texts(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    int32_t *ids = NULL;
    assert_int_equal(tokenizer_encode(f->t, "ab\xff", &ids, &err), -1);
    assert_string_equal(err.message, "the text is not valid UTF-8: byte 3 is 0xff");
    assert_int_equal(err.code, ERROR_USAGE);
    char *large = malloc(TOKENIZER_MAX_TEXT + 2);
    memset(large, '&', TOKENIZER_MAX_TEXT + 1);
    large[TOKENIZER_MAX_TEXT + 1] = '\0';
    assert_int_equal(tokenizer_encode(f->t, large, &ids, &err), -1);
    large[TOKENIZER_MAX_TEXT] = '\0';
    int count = tokenizer_encode(f->t, large, &ids, &err);
    assert_in_range(count, 1, TOKENIZER_MAX_TEXT);
    free(ids);
    free(large);
}

static void published(void **state)
{
    (void)state;
    error err = { 0 };
    const char *path = getenv("DALLE_CL_CLIP_MERGES");
    if (!path) return;
    tokenizer *t = tokenizer_open(path, &err);
    if (!t) fail_msg("%s", err.message);
    static const int32_t cat[] = { 320, 1125, 539, 320, 2368 };
    int32_t *ids = NULL;
    assert_int_equal(tokenizer_vocabulary(t), 49408);
    assert_int_equal(tokenizer_encode(t, "a photo of a cat", &ids, &err), 5);
    assert_memory_equal(ids, cat, sizeof cat);
    free(ids);
    tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_captions), cmocka_unit_test(cleaning),     cmocka_unit_test(its_own_tokens),
        cmocka_unit_test(saved),           cmocka_unit_test(dropout),      cmocka_unit_test(broken_files),
        cmocka_unit_test(line_ends),       cmocka_unit_test(packed_files), cmocka_unit_test(too_large),
        cmocka_unit_test(wrong_texts),     cmocka_unit_test(published),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

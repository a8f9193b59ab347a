/* test_tokenizer.c -- training, both encoders against each other, dropout, and wrong input.
 * With DALLE_CL_SHARED naming a folder that has data/emoji/manifest.tsv, its captions are tried too.
 * SPDX-License-Identifier: MIT */
#include "data/tokenizer.h"
#include "data/tokenizer_grow.h"

#include "host/base/utf8.h"
#include "host/base/file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define VOCABULARY 560

typedef struct fixture {
    char *text, *path, *other;
    const char *captions[8192];
    int count;
    tokenizer *t;
} fixture;

/* Cuts the text into lines, in place. */
static void cut(fixture *f, char *text)
{
    for (char *line = strtok(text, "\n"); line && f->count < 8192; line = strtok(NULL, "\n"))
        f->captions[f->count++] = line;
}

static char *temporary(void)
{
    char *path = strdup("dalle-tokenizer-XXXXXX");
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    return path;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    error err = { 0 };
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    char *path = file_join(folder ? folder : "tests", "data/captions.txt");
    f->text = file_read(path, NULL, &err);
    free(path);
    if (!f->text) print_error("%s\n", err.message);
    assert_non_null(f->text);
    cut(f, f->text);
    f->path = temporary();
    f->other = temporary();
    bool trained = tokenizer_train(f->captions, f->count, VOCABULARY, f->path, &err);
    if (!trained) print_error("%s\n", err.message);
    assert_true(trained);
    f->t = tokenizer_open(f->path, &err);
    assert_non_null(f->t);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    tokenizer_close(f->t);
    remove(f->path);
    remove(f->other);
    free(f->path);
    free(f->other);
    free(f->text);
    free(f);
    return 0;
}

static void trained_model(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    assert_int_equal(tokenizer_vocabulary(f->t), VOCABULARY);
    assert_string_equal(tokenizer_piece(f->t, 0), "<unk>");
    assert_string_equal(tokenizer_piece(f->t, 1), "<0x00>");
    assert_int_equal(strlen(tokenizer_hash(f->t)), 64);
    size_t size;
    const void *bytes = tokenizer_bytes(f->t, &size);
    /* Training again gives the same bytes; so does saving. */
    assert_true(tokenizer_train(f->captions, f->count, VOCABULARY, f->other, &err));
    for (int saved = 0; saved < 2; ++saved) {
        tokenizer *again = tokenizer_open(f->other, &err);
        size_t other_size;
        const void *other = tokenizer_bytes(again, &other_size);
        assert_int_equal(other_size, size);
        assert_memory_equal(other, bytes, size);
        assert_string_equal(tokenizer_hash(again), tokenizer_hash(f->t));
        tokenizer_close(again);
        assert_true(tokenizer_save(f->t, f->other, &err));
    }
}

static void round_trip(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text, *decoded;
    } cases[] = {
        { "A Dog", "a dog" },
        { "", "" },
        { "   ", "" },
        { "  two   spaces ", "two spaces" },
        { "\xf0\x9f\xa6\x93 zebra", "\xf0\x9f\xa6\x93 zebra" }, /* not in the captions */
        { "<unk> <0x41>", "<unk> <0x41>" },
        { "STRA\u1e9eE \ufb01 \uff21", "stra\u00dfe fi a" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err = { 0 };
        int32_t *ids = NULL;
        int count = tokenizer_encode(f->t, cases[i].text, &ids, &err);
        assert_true(count >= 0);
        char *text = tokenizer_decode(f->t, ids, count, &err);
        assert_string_equal(text, cases[i].decoded);
        if (!*cases[i].decoded) assert_int_equal(count, 0);
        free(text);
        free(ids);
    }
}

/* Both encoders on one text; returns the number of tokens. */
static int compare(const tokenizer *t, const char *text)
{
    error err = { 0 };
    int32_t *library = NULL, *ours = NULL;
    int count = tokenizer_encode(t, text, &library, &err);
    int own = tokenizer_encode_dropout(t, text, 0, NULL, &ours, &err);
    if (count < 0 || own != count) print_error("'%s': %d and %d tokens: %s\n", text, count, own, err.message);
    assert_true(count >= 0);
    assert_int_equal(own, count);
    assert_memory_equal(library, ours, (size_t)count * sizeof *ours);
    free(library);
    free(ours);
    return count;
}

static void no_dropout_is_the_library(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < f->count; ++i) compare(f->t, f->captions[i]);
    static const char *const unseen[] = { "",
                                          " ",
                                          "zebras in Zürich",
                                          "ŸŸŸ ҈ \xf0\x90\x8d\x88",
                                          "\x01\x02 \x7f",
                                          "QWERTY zxcvbnm",
                                          "aaaaaaab baaaaaa",
                                          "\xef\xbb\xbf bom",
                                          "\xef\xbf\xbd" };
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; ++i) compare(f->t, unseen[i]);
    philox p = { 11, 0, 0 };
    for (uint32_t i = 0; i < 300; ++i) { /* random characters of all kinds */
        char text[200];
        int length = 0;
        for (uint32_t k = 0; k < 40; ++k) {
            static const uint32_t ends[] = { 0x7f, 0x17f, 0x2fff, 0x1ffff };
            uint32_t c = 1 + philox_below(&p, i * 80 + 2 * k, ends[philox_below(&p, i * 80 + 2 * k + 1, 4)]);
            if (c >= 0xd800 && c < 0xe000) c = 'a';
            length += utf8_put(c, text + length);
        }
        text[length] = '\0';
        compare(f->t, text);
    }
}

static void data_sets(void **state)
{
    (void)state;
    const char *shared = getenv("DALLE_CL_SHARED");
    if (!shared) return;
    char *path = file_join(shared, "data/emoji/manifest.tsv");
    error err = { 0 };
    char *text = file_read(path, NULL, &err);
    free(path);
    if (!text) return;
    fixture f = { 0 };
    cut(&f, text);
    for (int i = 0; i < f.count; ++i) { /* the third column */
        char *caption = strchr(strchr(f.captions[i], '\t') + 1, '\t') + 1;
        caption[strcspn(caption, "\t")] = '\0';
        f.captions[i] = caption;
    }
    f.path = temporary();
    assert_true(tokenizer_train(f.captions + 1, f.count - 1, 1024, f.path, &err));
    tokenizer *t = tokenizer_open(f.path, &err);
    int longest = 0;
    for (int i = 1; i < f.count; ++i) {
        int count = compare(t, f.captions[i]);
        longest = count > longest ? count : longest;
    }
    print_message("%d captions agree, the longest has %d tokens\n", f.count - 1, longest);
    tokenizer_close(t);
    remove(f.path);
    free(f.path);
    free(text);
}

static void dropout(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    const char *caption = "an illustration of a baby daikon radish in a tutu walking a dog";
    int plain = compare(f->t, caption), last = -1;
    int32_t *ids = NULL;
    philox rng = { 1, 0, philox_stream("tokenizer") };
    /* All merges dropped: one token per character, and one for the space before the first. */
    assert_int_equal(tokenizer_encode_dropout(f->t, caption, 1, &rng, &ids, &err), (int)strlen(caption) + 1);
    free(ids);
    int lengths = 0, changes = 0;
    for (rng.step = 0; rng.step < 50; ++rng.step) {
        int32_t *again = NULL;
        int count = tokenizer_encode_dropout(f->t, caption, 0.1f, &rng, &ids, &err);
        assert_int_equal(tokenizer_encode_dropout(f->t, caption, 0.1f, &rng, &again, &err), count);
        assert_memory_equal(ids, again, (size_t)count * sizeof *ids);
        char *text = tokenizer_decode(f->t, ids, count, &err);
        assert_string_equal(text, caption);
        changes += count != last;
        lengths += count;
        last = count;
        free(text);
        free(ids);
        free(again);
    }
    assert_true(changes > 5);
    assert_true(lengths / 50 >= plain && lengths / 50 < 2 * plain);
}

/* The tokens of a text as one line: "▁a ▁cat". */
static const char *pieces_of(const char *model, const char *text)
{
    static char line[512];
    error err;
    tokenizer *t = tokenizer_open(model, &err);
    assert_non_null(t);
    int32_t *ids, *again;
    int count = tokenizer_encode(t, text, &ids, &err);
    assert_true(count >= 0);
    /* Our own merging agrees with the library's, so that dropout works on grown models too. */
    const philox rng = { 1, 2, 3 };
    assert_int_equal(tokenizer_encode_dropout(t, text, 0, &rng, &again, &err), count);
    assert_memory_equal(ids, again, (size_t)count * sizeof *ids);
    *line = 0;
    for (int i = 0; i < count; ++i)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", i ? " " : "",
                 tokenizer_piece(t, ids[i]));
    free(ids);
    free(again);
    tokenizer_close(t);
    return line;
}

static int tokens_of(const char *model)
{
    error err;
    tokenizer *t = tokenizer_open(model, &err);
    assert_non_null(t);
    int count = tokenizer_vocabulary(t);
    tokenizer_close(t);
    return count;
}

/* Whatever the captions, there is a tokenizer: with fewer tokens than asked for, or with more. */
static void fitted_vocabularies(void **state)
{
    fixture *f = *state;
    error err;
    static const struct {
        const char *captions[3];
        int asked, required;
    } cases[] = {
        { { "a", "a", "a" }, 1024, 259 }, /* unknown, 256 bytes, a space, "a" */
        { { "cat", "cat", "cat" }, 1024, 261 },
        { { "cat", "cat", "cat" }, 258, 261 }, /* four characters do not fit */
        { { "cat", "cat", "cat" }, 262, 261 },
        { { "猫は椅子", "犬が走る", "" }, 258, 266 }, /* nor do nine */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        int asked = cases[i].asked, most = 0;
        assert_false(tokenizer_train(cases[i].captions, 3, 100000, f->other, &err));
        assert_int_equal(sscanf(strstr(err.message, "allow at most "), "allow at most %d", &most), 1);
        if (!tokenizer_fit(cases[i].captions, 3, asked, f->other, &err)) fail_msg("%s", err.message);
        assert_int_equal(tokens_of(f->other), asked < cases[i].required ? cases[i].required
                                              : asked > most            ? most
                                                                        : asked);
    }
    assert_true(tokenizer_fit(f->captions, f->count, VOCABULARY, f->other, &err));
    assert_int_equal(tokens_of(f->other), VOCABULARY);
    assert_false(tokenizer_fit((const char *const[]){ "", " " }, 2, 300, f->other, &err));
    assert_string_equal(err.message, "a tokenizer needs captions, there are none");
}

static void grown(void **state)
{
    fixture *f = *state;
    error err;
    static const char *const more[] = { "a quokka on a surfboard", "Quokka with a żółw", "a żółw, surfboards",
                                        "a yak" };
    char before[512];
    snprintf(before, sizeof before, "%s", pieces_of(f->path, f->captions[7]));
    assert_true(tokenizer_grow(f->t, more, 4, 1000, f->other, &err));
    tokenizer *t = tokenizer_open(f->other, &err);
    if (!t) fail_msg("%s", err.message);
    int count = tokenizer_vocabulary(t);
    assert_in_range(count, VOCABULARY + 5, VOCABULARY + 60);
    for (int i = 0; i < VOCABULARY; ++i) assert_string_equal(tokenizer_piece(t, i), tokenizer_piece(f->t, i));
    assert_string_equal(pieces_of(f->other, f->captions[7]), before);
    /* What comes twice is one piece, with characters that were bytes; what comes once is cut as before. */
    assert_string_equal(pieces_of(f->other, "quokka"), "▁quokka");
    assert_string_equal(pieces_of(f->other, "surfboard żółw"), "▁surfboard ▁żółw");
    snprintf(before, sizeof before, "%s", pieces_of(f->path, "a yak"));
    assert_string_equal(pieces_of(f->other, "a yak"), before);
    /* Grown again on the same, nothing is added; by one piece, one. */
    assert_true(tokenizer_grow(t, more, 4, 1000, f->other, &err));
    assert_int_equal(tokens_of(f->other), count);
    tokenizer_close(t);
    assert_true(tokenizer_grow(f->t, more, 4, 1, f->other, &err));
    assert_int_equal(tokens_of(f->other), VOCABULARY + 1);
    assert_true(tokenizer_grow(f->t, more, 0, 9, f->other, &err));
    assert_int_equal(tokens_of(f->other), VOCABULARY);
    assert_false(tokenizer_grow(f->t, (const char *const[]){ "b\xff" }, 1, 9, f->other, &err));
    assert_non_null(strstr(err.message, "caption 1: the text is not valid UTF-8"));
}

static void wrong_vocabularies(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    assert_true(file_write(f->other, "kept", 4, &err));
    assert_false(tokenizer_train(f->captions, f->count, 100, f->other, &err));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_non_null(strstr(err.message, "a vocabulary of 100 is too small: 256 bytes and the characters"));
    assert_false(tokenizer_train(f->captions, f->count, 1000000, f->other, &err));
    int largest = 0;
    assert_int_equal(sscanf(err.message,
                            "a vocabulary of 1000000 is too large: these captions allow at most %d",
                            &largest),
                     1);
    assert_false(tokenizer_train(f->captions, f->count, 0, f->other, &err));
    assert_false(tokenizer_train(f->captions, 0, 500, f->other, &err));
    assert_false(tokenizer_train((const char *const[]){ "", "  " }, 2, 500, f->other, &err));
    assert_string_equal(err.message, "a tokenizer needs captions, there are none");
    assert_false(tokenizer_train((const char *const[]){ "good", "b\xff" }, 2, 500, f->other, &err));
    assert_string_equal(err.message, "caption 2 is not valid UTF-8 at byte 2");
    char *kept = file_read(f->other, NULL, &err);
    assert_string_equal(kept, "kept");
    free(kept);
    assert_true(tokenizer_train(f->captions, f->count, largest, f->other, &err));
    assert_false(tokenizer_train(f->captions, f->count, 600, "no/such/folder/model", &err));
    assert_int_equal(err.code, ERROR_IO);
}

static void long_captions_are_used(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    char *caption = malloc(10001); /* the library alone would drop it */
    for (int i = 0; i < 10000; ++i) caption[i] = (char)(i % 5 == 4 ? ' ' : 'a' + i % 7);
    caption[10000] = '\0';
    const char *captions[] = { caption };
    assert_true(tokenizer_train(captions, 1, 280, f->other, &err));
    compare(f->t, caption);
    free(caption);
}

static void wrong_texts(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "ab\xff", "the text is not valid UTF-8: byte 3 is 0xff" },
        { "\xc3", "the text is not valid UTF-8: byte 1 is 0xc3" },
        { "x\xed\xa0\x80", "the text is not valid UTF-8: byte 2 is 0xed" },
        { "\xc0\xaf", "the text is not valid UTF-8: byte 1 is 0xc0" },
        { "\xf4\x90\x80\x80", "the text is not valid UTF-8: byte 1 is 0xf4" },
    };
    int32_t *ids = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        error err = { 0 };
        assert_int_equal(tokenizer_encode(f->t, cases[i].text, &ids, &err), -1);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.code, ERROR_USAGE);
        assert_int_equal(tokenizer_encode_dropout(f->t, cases[i].text, 0, NULL, &ids, &err), -1);
        assert_null(ids);
    }
    error err = { 0 };
    char *large = malloc(TOKENIZER_MAX_TEXT + 2);
    memset(large, 'a', TOKENIZER_MAX_TEXT + 1);
    large[TOKENIZER_MAX_TEXT + 1] = '\0';
    assert_int_equal(tokenizer_encode(f->t, large, &ids, &err), -1);
    assert_string_equal(err.message, "the text has 16385 bytes, at most 16384 are possible");
    free(large);
    assert_null(tokenizer_decode(f->t, (int32_t[]){ 3, VOCABULARY }, 2, &err));
    assert_string_equal(err.message, "token 560 is outside the vocabulary of 560");
    assert_null(tokenizer_decode(f->t, (int32_t[]){ -1 }, 1, &err));
}

static void wrong_files(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    assert_null(tokenizer_open("no/such/file", &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_true(file_write(f->other, "", 0, &err));
    assert_null(tokenizer_open(f->other, &err));
    assert_non_null(strstr(err.message, "not a usable tokenizer: the file is empty"));
    assert_true(file_write(f->other, "\x89PNG\r\n\x1a\n picture", 16, &err));
    assert_null(tokenizer_open(f->other, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    size_t size;
    const char *bytes = tokenizer_bytes(f->t, &size);
    for (size_t cut_at = 1; cut_at < size; cut_at += size / 97) {
        assert_true(file_write(f->other, bytes, cut_at, &err));
        tokenizer *t = tokenizer_open(f->other, &err);
        if (t) compare(t, "a dog"); /* cut between two fields it may still be a model */
        tokenizer_close(t);
    }
}

/* Damage must be refused or harmless; the library itself follows a damaged table out of its bounds. */
static void damaged_files(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    size_t size;
    const void *bytes = tokenizer_bytes(f->t, &size);
    char *copy = malloc(size);
    memcpy(copy, bytes, size);
    philox p = { 4, 0, 0 };
    int refused = 0;
    for (uint32_t i = 0; i < 150; ++i) {
        uint32_t at = philox_below(&p, 2 * i, i % 2 ? (uint32_t)size : 12000);
        char old = copy[at];
        copy[at] = (char)philox_bits(&p, 2 * i + 1);
        FILE *out = fopen(f->other, "wb");
        fwrite(copy, 1, size, out);
        fclose(out);
        tokenizer *t = tokenizer_open(f->other, &err);
        refused += t == NULL;
        int32_t *ids = NULL;
        philox rng = { 1, 0, 0 };
        for (int k = 0; t && k < f->count; ++k) {
            int count = tokenizer_encode(t, f->captions[k], &ids, &err);
            if (count >= 0) free(tokenizer_decode(t, ids, count, &err));
            if (count >= 0) free(ids);
            count = tokenizer_encode_dropout(t, f->captions[k], 0.1f, &rng, &ids, &err);
            if (count >= 0) free(ids);
        }
        tokenizer_close(t);
        copy[at] = old;
    }
    assert_true(refused > 10);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trained_model),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(no_dropout_is_the_library),
        cmocka_unit_test(data_sets),
        cmocka_unit_test(dropout),
        cmocka_unit_test(wrong_vocabularies),
        cmocka_unit_test(fitted_vocabularies),
        cmocka_unit_test(grown),
        cmocka_unit_test(long_captions_are_used),
        cmocka_unit_test(wrong_texts),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(damaged_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

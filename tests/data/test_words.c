/* test_words.c -- lists of words: collecting, the file, and what was never seen.
 * SPDX-License-Identifier: MIT */
#include "data/words.h"

#include "host/base/utf8.h"
#include "host/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const captions[] = {
    "A red circle above a BLUE square",
    "woman's hand: medium-light",
    "\u00c9t\u00e9 \u0416\u0443\u043a 3rd",
    "\U0001f600 \u65e5\u672c\u8a9e",
    "",
};

static words *collect(void)
{
    error err = { 0 };
    words *w = words_collect(captions, 5, &err);
    assert_non_null(w);
    return w;
}

static void collecting(void **state)
{
    (void)state;
    words *w = collect();
    char *text = words_format(w);
    assert_string_equal(text, "a\nabove\nblue\ncircle\nhand\nlight\nmedium\nrd\nred\ns\nsquare\nwoman\n"
                              "\u00e9t\u00e9\n\u0436\u0443\u043a\n\u65e5\u672c\u8a9e\n");
    assert_int_equal(words_count(w), 15);
    assert_true(words_has(w, "blue") && !words_has(w, "BLUE") && !words_has(w, ""));
    error err = { 0 };
    words *again = words_parse(text, "words.txt", &err);
    char *same = words_format(again);
    assert_string_equal(text, same);
    free(text);
    free(same);
    words_destroy(again);
    words_destroy(w);
    words_destroy(NULL);
    assert_null(words_collect((const char *const[]){ "a", "b \xfe" }, 2, &err));
    assert_string_equal(err.message, "caption 2 is not valid UTF-8 at byte 3");
}

static void unseen(void **state)
{
    (void)state;
    words *w = collect();
    error err = { 0 };
    char **list = NULL;
    assert_int_equal(words_unseen(w, "A purple square, a PURPLE zebra! 42 \u00c9T\u00c9", &list, &err), 2);
    assert_string_equal(list[0], "purple");
    assert_string_equal(list[1], "zebra");
    assert_null(list[2]);
    free(list);
    assert_int_equal(words_unseen(w, "", &list, &err), 0);
    assert_null(list[0]);
    free(list);
    assert_int_equal(words_unseen(w, "x y z \u023a \u0130", &list, &err), 5); /* as many as there can be */
    free(list);
    assert_int_equal(words_unseen(w, "bad \xff", &list, &err), -1);
    assert_string_equal(err.message, "the text is not valid UTF-8: byte 5 is 0xff");
    words_destroy(w);
}

static void empty_list(void **state)
{
    (void)state;
    error err = { 0 };
    words *w = words_collect(NULL, 0, &err);
    assert_int_equal(words_count(w), 0);
    assert_false(words_has(w, "a"));
    char *text = words_format(w), **list;
    assert_string_equal(text, "");
    assert_int_equal(words_unseen(w, "one two one", &list, &err), 2);
    free(list);
    free(text);
    words_destroy(w);
}

static void many_captions(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    char(*texts)[32] = malloc(sizeof(char[COUNT][32]));
    const char **list = malloc(COUNT * sizeof *list);
    for (int i = 0; i < COUNT; ++i) { /* 10,000 different words, each twice, and a common one */
        int k = i * 7919 % 10000;
        snprintf(texts[i], 32, "common %c%c%c%c", 'a' + k / 1000, 'a' + k / 100 % 10, 'a' + k / 10 % 10,
                 'a' + k % 10);
        list[i] = texts[i];
    }
    error err = { 0 };
    words *w = words_collect(list, COUNT, &err);
    assert_int_equal(words_count(w), 10001);
    assert_true(words_has(w, "common") && words_has(w, "jjjj") && !words_has(w, "jjjk"));
    words_destroy(w);
    free(list);
    free(texts);
}

static void files(void **state)
{
    (void)state;
    const char *path = "dalle-words-test.txt";
    error err = { 0 };
    words *w = collect();
    assert_true(words_save(w, path, &err));
    words_destroy(w);
    w = words_open(path, &err);
    assert_int_equal(words_count(w), 15);
    words_destroy(w);
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "b\na\n", "dalle-words-test.txt:2: 'a' is not in order; the file was changed" },
        { "a\na\n", "dalle-words-test.txt:2: 'a' is not in order; the file was changed" },
        { "a\n\nb\n", "dalle-words-test.txt:2: expected a word" },
        { "a\nb\xff\n", "dalle-words-test.txt:2: expected a word" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        assert_true(file_write(path, cases[i].text, strlen(cases[i].text), &err));
        assert_null(words_open(path, &err));
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.code, ERROR_FORMAT);
    }
    assert_true(file_write(path, "a\n\0b\n", 5, &err));
    assert_null(words_open(path, &err));
    assert_true(file_write(path, "a\r\nb\r\n", 6, &err)); /* an editor's line ends do no harm */
    w = words_open(path, &err);
    assert_true(words_has(w, "b"));
    words_destroy(w);
    remove(path);
    assert_null(words_open(path, &err));
    assert_int_equal(err.code, ERROR_IO);
}

static void characters(void **state)
{
    (void)state;
    for (uint32_t c = 1; c < 0x110000; ++c) {
        if (c >= 0xd800 && c < 0xe000) continue;
        char text[5] = { 0 };
        int length = utf8_put(c, text);
        const char *next = text;
        assert_int_equal(utf8_check(text), -1);
        assert_int_equal(utf8_next(&next), c);
        assert_int_equal(next - text, length);
        char lower[4];
        assert_int_equal(utf8_lower(utf8_lower(c)), utf8_lower(c));
        assert_true(utf8_put(utf8_lower(c), lower) <= 2 * length);
        if (length > 1) {
            text[length - 1] = '\0';
            assert_int_equal(utf8_check(text), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collecting),    cmocka_unit_test(unseen), cmocka_unit_test(empty_list),
        cmocka_unit_test(many_captions), cmocka_unit_test(files),  cmocka_unit_test(characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

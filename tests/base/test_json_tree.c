/* test_json_tree.c -- JSON that is read as libjansson would read it, mistakes with their places, and trees
 * that latch what could not be added.
 * SPDX-License-Identifier: MIT */
#include "host/base/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *read_text(const char *text, json_tree_problem *problem)
{
    return json_tree_read(text, strlen(text), true, problem);
}

/* Both readers take the text, and make the same of it. */
static void same(const char *text)
{
    json_tree_problem problem;
    json_t *ours = read_text(text, &problem), *theirs = json_loads(text, 0, NULL);
    if (!ours) fail_msg("%s: %s", text, problem.text);
    assert_non_null(theirs);
    if (!json_equal(ours, theirs)) fail_msg("%s is read as something else", text);
    json_decref(ours);
    json_decref(theirs);
}

static void reads(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        " [ ] \n",
        "[1, -1, 0, -0, 9223372036854775807, -9223372036854775808]",
        "[0.5, -0.25e3, 1e-7, 1E+2, 123456.789e0, 0.1]",
        "[true, false, null, [[]], {\"a\": {}}]",
        "{\"a\": \"b\", \"c\": [1, {\"d\": null}], \"a b\": 2}",
        "[\"\", \"a\\n\\t\\\"\\\\\\/\\b\\f\\r\", \"\\u00e9\\u20ac\\ud83d\\ude00\", \"\xc3\xa9\xe2\x82\xac\"]",
        "{\"\": 1, \"\\u0041\": 2}",
        "{\"a\": 1, \"a\": 2}",
        "\t{\r\n\"a\"\t:\n1 , \"b\":2}\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) same(texts[i]);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        int line;
        size_t byte;
    } cases[] = {
        { "", "'{' or '[' expected at the end", 1, 0 },
        { "1", "'{' or '[' expected near '1'", 1, 0 },
        { "{", "a key expected at the end", 1, 1 },
        { "{\n\"a\" 1}", "':' expected near '1}'", 2, 6 },
        { "{\"a\":}", "a value expected near '}'", 1, 5 },
        { "{\"a\":1,}", "a key expected near '}'", 1, 7 },
        { "[1 2]", "',' or ']' expected near '2]'", 1, 3 },
        { "[1,]", "a value expected near ']'", 1, 3 },
        { "[1]]", "the end expected near ']'", 1, 3 },
        { "[01]", "a value expected near '01]'", 1, 1 },
        { "[1.]", "a value expected near '1.]'", 1, 1 },
        { "[-]", "a value expected near '-]'", 1, 1 },
        { "[1e]", "a value expected near '1e]'", 1, 1 },
        { "[nul]", "a value expected near 'nul]'", 1, 1 },
        { "[1e999]", "a number too large", 1, 1 },
        { "[9223372036854775808]", "a whole number too large", 1, 1 },
        { "[\"a]", "a text has no closing '\"' at the end", 1, 4 },
        { "[\"a\nb\"]", "a control character", 1, 3 },
        { "[\"\\x\"]", "an unknown escape near 'x", 1, 3 },
        { "[\"\\u12g4\"]", "four hexadecimal digits", 1, 6 },
        { "[\"\\ud800\"]", "half a character", 1, 8 },
        { "[\"\\udc00\"]", "half a character", 1, 8 },
        { "[\"\\u0000\"]", "a zero byte", 1, 8 },
        { "[\"\xff\"]", "not UTF-8", 1, 3 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        json_tree_problem problem;
        json_t *tree = read_text(cases[i].text, &problem);
        assert_null(tree);
        if (!strstr(problem.text, cases[i].says))
            fail_msg("%s: '%s' does not say '%s'", cases[i].text, problem.text, cases[i].says);
        assert_false(problem.memory);
        assert_int_equal(problem.line, cases[i].line);
        assert_int_equal(problem.byte, cases[i].byte);
        assert_null(json_loads(cases[i].text, 0, NULL)); /* nor does the library take it */
    }
}

static void repeats_and_depth(void **state)
{
    (void)state;
    json_tree_problem problem;
    static const char twice[] = "{\"a\": 1, \"a\": 2}";
    assert_null(json_tree_read(twice, strlen(twice), false, &problem));
    assert_non_null(strstr(problem.text, "a key comes twice"));
    char deep[1001];
    memset(deep, '[', 1000);
    deep[1000] = '\0';
    assert_null(read_text(deep, &problem));
    assert_non_null(strstr(problem.text, "too many levels"));
    error err = { 0 };
    assert_null(json_tree_parse("[\n\n1,", 5, "a.json", &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_string_equal(err.message, "a.json:3: a value expected at the end");
    assert_null(json_tree_open("no such file.json", &err));
    assert_int_equal(err.code, ERROR_IO);
}

static void builds(void **state)
{
    (void)state;
    error err = { 0 };
    json_t *o = json_object(), *list = json_array();
    json_tree_add(&list, json_integer(1));
    json_tree_add(&list, json_tree_string("a\xff"));
    json_tree_put(&o, "list", list);
    json_tree_put(&o, "real", json_real(0.5));
    char *text = json_tree_text(o, JSON_COMPACT, "a test", &err);
    assert_string_equal(text, "{\"list\":[1,\"a?\"],\"real\":0.5}");
    free(text);
    /* What could not be made is latched. */
    o = json_object();
    json_tree_put(&o, "lost", NULL);
    assert_null(o);
    json_tree_put(&o, "later", json_integer(1));
    assert_null(o);
    list = json_array();
    json_tree_add(&list, NULL);
    json_tree_add(&list, json_integer(1));
    assert_null(list);
    assert_null(json_tree_text(o, 0, "a test", &err));
    assert_int_equal(err.code, ERROR_MEMORY);
    assert_string_equal(err.message, "out of memory for a test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses),
        cmocka_unit_test(repeats_and_depth),
        cmocka_unit_test(builds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

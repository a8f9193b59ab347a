/* json_tree.c -- a recursive-descent reader that makes libjansson's values, and latching builders.
 * SPDX-License-Identifier: MIT */
#include "host/base/json_tree.h"

#include "host/base/file.h"
#include "host/base/utf8.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 200 };

typedef struct reader {
    const char *text, *at, *end;
    char *scratch; /* room for all of the text: any string or number of it fits */
    bool repeats;
    int depth;
    json_tree_problem *problem;
} reader;

static json_t *wrong(reader *r, const char *what)
{
    json_tree_problem *p = r->problem;
    if (p->line) return NULL; /* the first is kept */
    p->line = 1;
    p->byte = (size_t)(r->at - r->text);
    for (const char *c = r->text; c < r->at; ++c) p->line += *c == '\n';
    int shown = (int)(r->end - r->at < 20 ? r->end - r->at : 20), plain = 0;
    while (plain < shown && (unsigned char)r->at[plain] >= ' ' && (unsigned char)r->at[plain] < 0x7f) ++plain;
    if (r->at == r->end)
        snprintf(p->text, sizeof p->text, "%s at the end", what);
    else
        snprintf(p->text, sizeof p->text, "%s near '%.*s'", what, plain, r->at);
    return NULL;
}

/* A value that could not be made for want of memory. */
static json_t *made(reader *r, json_t *value)
{
    if (value || r->problem->line) return value;
    wrong(r, "memory ran out");
    r->problem->memory = true;
    return NULL;
}

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) ++r->at;
}

static bool take(reader *r, char wanted)
{
    skip_space(r);
    if (r->at == r->end || *r->at != wanted) return false;
    ++r->at;
    return true;
}

/* ---- Strings ----------------------------------------------------------------------------------- */

static bool read_hex(reader *r, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; ++i, ++r->at) {
        char c = r->at < r->end ? *r->at : '\0';
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return false;
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

/* Behind "\u": one character, perhaps of two halves. */
static bool read_escaped_character(reader *r, size_t *length)
{
    uint32_t c, low;
    if (!read_hex(r, &c)) return wrong(r, "four hexadecimal digits expected");
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u') return wrong(r, "half a character");
        r->at += 2;
        if (!read_hex(r, &low) || low < 0xdc00 || low > 0xdfff) return wrong(r, "half a character");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c == 0 || (c >= 0xdc00 && c <= 0xdfff)) {
        return wrong(r, c ? "half a character" : "a zero byte in a text");
    }
    *length += (size_t)utf8_put(c, r->scratch + *length);
    return true;
}

static bool read_escape(reader *r, size_t *length)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = r->at < r->end ? *r->at : '\0';
    if (c == 'u') {
        ++r->at;
        return read_escaped_character(r, length);
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) return wrong(r, "an unknown escape");
    r->scratch[(*length)++] = to[found - from];
    ++r->at;
    return true;
}

/* Into the scratch, behind the opening quote; an escape is longer than what it stands for. */
static bool read_string(reader *r, size_t *length)
{
    *length = 0;
    for (;;) {
        if (r->at == r->end) return wrong(r, "a text has no closing '\"'");
        if (*r->at == '"') break;
        if ((unsigned char)*r->at < ' ') return wrong(r, "a control character in a text");
        if (*r->at != '\\') {
            r->scratch[(*length)++] = *r->at++;
            continue;
        }
        ++r->at;
        if (!read_escape(r, length)) return false;
    }
    r->scratch[*length] = '\0';
    if (utf8_check(r->scratch) >= 0) return wrong(r, "a text that is not UTF-8");
    ++r->at;
    return true;
}

/* ---- Numbers ----------------------------------------------------------------------------------- */

static bool skip_digits(const char **c, const char *end)
{
    const char *begin = *c;
    while (*c < end && **c >= '0' && **c <= '9') ++*c;
    return *c > begin;
}

static json_t *read_real(reader *r, size_t length)
{
    /* strtod expects the locale's sign. */
    const char *sign = localeconv()->decimal_point;
    char *point = memchr(r->scratch, '.', length);
    if (point && sign[0] && !sign[1]) *point = *sign;
    double value = strtod(r->scratch, NULL);
    return isfinite(value) ? made(r, json_real(value)) : wrong(r, "a number too large");
}

static json_t *read_number(reader *r)
{
    const char *c = r->at;
    bool real = false;
    if (*c == '-') ++c;
    const char *first = c;
    bool good = skip_digits(&c, r->end) && (*first != '0' || c - first == 1);
    if (good && c < r->end && *c == '.') {
        real = true;
        ++c;
        good = skip_digits(&c, r->end);
    }
    if (good && c < r->end && (*c == 'e' || *c == 'E')) {
        real = true;
        ++c;
        if (c < r->end && (*c == '+' || *c == '-')) ++c;
        good = skip_digits(&c, r->end);
    }
    if (!good) return wrong(r, "a value expected");
    size_t length = (size_t)(c - r->at);
    memcpy(r->scratch, r->at, length);
    r->scratch[length] = '\0';
    json_t *value;
    if (real) {
        value = read_real(r, length);
    } else {
        errno = 0;
        long long whole = strtoll(r->scratch, NULL, 10);
        value = errno ? wrong(r, "a whole number too large") : made(r, json_integer(whole));
    }
    r->at = c;
    return value;
}

/* ---- Objects, arrays, values ------------------------------------------------------------------- */

static json_t *read_value(reader *r);

static bool read_member(reader *r, json_t *object)
{
    size_t length;
    if (!take(r, '"')) return wrong(r, "a key expected");
    if (!read_string(r, &length)) return false;
    if (!r->repeats && json_object_get(object, r->scratch)) return wrong(r, "a key comes twice");
    char *key = strdup(r->scratch);
    if (!key) return made(r, NULL);
    json_t *value = take(r, ':') ? read_value(r) : wrong(r, "':' expected");
    bool ok = value && json_object_set_new_nocheck(object, key, value) == 0;
    if (!ok) made(r, NULL);
    free(key);
    return ok;
}

static json_t *read_object(reader *r)
{
    json_t *object = made(r, json_object());
    if (!object || take(r, '}')) return object;
    for (;;) {
        if (!read_member(r, object)) break;
        if (take(r, '}')) return object;
        if (!take(r, ',')) {
            wrong(r, "',' or '}' expected");
            break;
        }
    }
    json_decref(object);
    return NULL;
}

static json_t *read_array(reader *r)
{
    json_t *array = made(r, json_array());
    if (!array || take(r, ']')) return array;
    for (;;) {
        json_t *value = read_value(r);
        if (!value || json_array_append_new(array, value) != 0) {
            made(r, NULL);
            break;
        }
        if (take(r, ']')) return array;
        if (!take(r, ',')) {
            wrong(r, "',' or ']' expected");
            break;
        }
    }
    json_decref(array);
    return NULL;
}

static bool is_word(reader *r, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0) return false;
    r->at += length;
    return true;
}

static json_t *read_text(reader *r)
{
    size_t length;
    return read_string(r, &length) ? made(r, json_stringn_nocheck(r->scratch, length)) : NULL;
}

static json_t *read_value(reader *r)
{
    skip_space(r);
    if (r->at == r->end) return wrong(r, "a value expected");
    if (*r->at == '{' || *r->at == '[') {
        if (++r->depth > DEPTH) return wrong(r, "too many levels");
        bool object = *r->at++ == '{';
        json_t *value = object ? read_object(r) : read_array(r);
        --r->depth;
        return value;
    }
    if (take(r, '"')) return read_text(r);
    if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9')) return read_number(r);
    if (is_word(r, "true")) return json_true();
    if (is_word(r, "false")) return json_false();
    if (is_word(r, "null")) return json_null();
    return wrong(r, "a value expected");
}

json_t *json_tree_read(const char *text, size_t size, bool repeats, json_tree_problem *problem)
{
    *problem = (json_tree_problem){ 0 };
    reader r = { .text = text, .at = text, .end = text + size, .repeats = repeats, .problem = problem };
    skip_space(&r);
    if (r.at == r.end || (*r.at != '{' && *r.at != '[')) return wrong(&r, "'{' or '[' expected");
    if (!(r.scratch = malloc(size + 1))) return made(&r, NULL);
    json_t *tree = read_value(&r);
    skip_space(&r);
    if (tree && r.at < r.end) {
        wrong(&r, "the end expected");
        json_decref(tree);
        tree = NULL;
    }
    free(r.scratch);
    return tree;
}

json_t *json_tree_parse(const char *text, size_t size, const char *where, error *err)
{
    json_tree_problem problem;
    json_t *tree = json_tree_read(text, size, true, &problem);
    if (tree) return tree;
    if (problem.memory)
        return error_null(err, ERROR_MEMORY, "%s: out of memory for the %zu bytes of JSON", where, size);
    return error_null(err, ERROR_FORMAT, "%s:%d: %s", where, problem.line, problem.text);
}

json_t *json_tree_open(const char *path, error *err)
{
    size_t size;
    char *text = file_read(path, &size, err);
    json_t *tree = text ? json_tree_parse(text, size, path, err) : NULL;
    free(text);
    return tree;
}

/* ---- Building ---------------------------------------------------------------------------------- */

static void give_up(json_t **tree)
{
    json_decref(*tree);
    *tree = NULL;
}

void json_tree_put(json_t **tree, const char *key, json_t *value)
{
    if (!*tree)
        json_decref(value);
    else if (json_object_set_new(*tree, key, value) != 0)
        give_up(tree);
}

void json_tree_add(json_t **tree, json_t *value)
{
    if (!*tree)
        json_decref(value);
    else if (json_array_append_new(*tree, value) != 0)
        give_up(tree);
}

json_t *json_tree_string(const char *text)
{
    char *copy = strdup(text);
    for (int64_t bad; copy && (bad = utf8_check(copy)) >= 0;) copy[bad] = '?';
    json_t *value = copy ? json_string_nocheck(copy) : NULL;
    free(copy);
    return value;
}

/* Measured first: the library goes on when its output cannot grow, and leaves bytes out. */
char *json_tree_text(json_t *tree, size_t flags, const char *what, error *err)
{
    size_t size = tree ? json_dumpb(tree, NULL, 0, flags) : 0;
    char *text = size ? malloc(size + 1) : NULL;
    if (text && json_dumpb(tree, text, size, flags) != size) {
        free(text);
        text = NULL;
    }
    if (text) text[size] = '\0';
    json_decref(tree);
    return text ? text : error_null(err, ERROR_MEMORY, "out of memory for %s", what);
}

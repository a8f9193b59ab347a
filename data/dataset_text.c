/* dataset_text.c -- see dataset_text.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_text.h"
#include "host/base/json_tree.h"
#include "host/base/utf8.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTEAD "\xef\xbf\xbd" /* U+FFFD, the character that stands for one that is lost */

static void *no_memory(dataset_text_fault *fault)
{
    fault->memory = true;
    return NULL;
}

/* ---- Encodings --------------------------------------------------------------------------------- */

static uint32_t unit_at(const char *bytes, size_t at, bool big)
{
    uint32_t first = (unsigned char)bytes[at], second = (unsigned char)bytes[at + 1];
    return big ? first << 8 | second : second << 8 | first;
}

/* Behind the mark; false for half a character, a zero, or an odd number of bytes. */
static bool from_utf16(const char *bytes, size_t size, bool big, char *out)
{
    size_t at = 2;
    while (at + 1 < size) {
        uint32_t c = unit_at(bytes, at, big);
        at += 2;
        if (c >= 0xd800 && c < 0xdc00 && at + 1 < size) {
            uint32_t low = unit_at(bytes, at, big);
            if (low < 0xdc00 || low > 0xdfff) return false;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            at += 2;
        }
        if (c == 0 || (c >= 0xd800 && c <= 0xdfff)) return false;
        out += utf8_put(c, out);
    }
    *out = 0;
    return at == size;
}

const char *dataset_text_utf8(arena *memory, const char *bytes, size_t size, dataset_text_fault *fault)
{
    *fault = (dataset_text_fault){ 0 };
    bool little = size >= 2 && memcmp(bytes, "\xff\xfe", 2) == 0,
         big = size >= 2 && memcmp(bytes, "\xfe\xff", 2) == 0;
    if (little || big) {
        char *out = arena_alloc(memory, size / 2 * 3 + 1);
        if (!out) return no_memory(fault);
        if (from_utf16(bytes, size, big, out)) return out;
    }
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) bytes += 3, size -= 3;
    int64_t bad = utf8_check(bytes);
    if (bad < 0 && strlen(bytes) == size) return bytes;
    if (bad < 0)
        snprintf(fault->why, sizeof fault->why, "holds a zero byte; it may be UTF-16: convert it with iconv");
    else
        snprintf(fault->why, sizeof fault->why,
                 "is not UTF-8 at byte %lld; it may be %s: convert it with iconv", (long long)bad,
                 little || big ? "UTF-16" : "Latin-1");
    return NULL;
}

/* ---- JSON that is not quite --------------------------------------------------------------------- */

typedef struct mender {
    const char *at, *end;
    char *out;
    bool no_memory;
} mender;

static void put(mender *m, const char *text, size_t size)
{
    memcpy(m->out, text, size);
    m->out += size;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The four digits behind "\u", or -1. */
static long hex_at(const char *at, const char *end)
{
    char digits[5] = "";
    if (end - at < 4) return -1;
    memcpy(digits, at, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? strtol(digits, NULL, 16) : -1;
}

/* At "\u": a character, perhaps of two halves; half of one, and the zero, become another. */
static void mend_character(mender *m)
{
    long c = hex_at(m->at + 2, m->end), low = -1;
    if (c >= 0xd800 && c < 0xdc00 && m->end - m->at >= 12 && m->at[6] == '\\' && m->at[7] == 'u')
        low = hex_at(m->at + 8, m->end);
    bool pair = low >= 0xdc00 && low <= 0xdfff;
    if (c <= 0 || (c >= 0xd800 && c <= 0xdfff && !pair))
        put(m, INSTEAD, 3);
    else
        put(m, m->at, pair ? 12 : 6);
    m->at += c < 0 ? 2 : pair ? 12 : 6;
}

static void mend_escape(mender *m)
{
    if (m->end - m->at < 2) { /* the text is cut here */
        put(m, m->at++, 1);
    } else if (m->at[1] == 'u') {
        mend_character(m);
    } else if (strchr("\"\\/bfnrt", m->at[1]) && m->at[1]) {
        put(m, m->at, 2);
        m->at += 2;
    } else { /* an escape that there is not: the sign itself */
        put(m, "\\\\", 2);
        ++m->at;
    }
}

/* From one quote to the other. */
static void mend_text(mender *m)
{
    put(m, m->at++, 1);
    while (m->at < m->end && *m->at != '"') {
        if (*m->at == '\\') {
            mend_escape(m);
            continue;
        }
        put(m, (unsigned char)*m->at < ' ' ? " " : m->at, 1);
        ++m->at;
    }
    if (m->at < m->end) put(m, m->at++, 1);
}

static bool is_value(mender *m, const char *word, size_t size)
{
    char text[64];
    json_tree_problem problem;
    if (size > sizeof text - 3) return false;
    snprintf(text, sizeof text, "[%.*s]", (int)size, word);
    json_t *value = json_tree_read(text, size + 2, true, &problem);
    json_decref(value);
    m->no_memory |= problem.memory;
    return value != NULL;
}

/* Words that mean nothing in JSON, and numbers that are too large. */
static void mend_word(mender *m)
{
    const char *begin = m->at;
    while (m->at < m->end && !is_space(*m->at) && !strchr(",:[]{}\"", *m->at)) ++m->at;
    size_t size = (size_t)(m->at - begin);
    if (size == 0) { /* a zero byte */
        put(m, " ", 1);
        ++m->at;
    } else if (is_value(m, begin, size)) {
        put(m, begin, size);
    } else {
        put(m, "null", 4);
    }
}

static void mend_sign(mender *m)
{
    const char *next = m->at + 1;
    while (next < m->end && is_space(*next)) ++next;
    bool last = *m->at == ',' && next < m->end && (*next == '}' || *next == ']');
    put(m, last ? " " : m->at, 1);
    ++m->at;
}

/* Another text of at most four times the size, to be freed. */
static char *mend(const char *bytes, size_t size)
{
    mender m = { .at = bytes, .end = bytes + size };
    char *made = malloc(4 * size + 1);
    if (!made) return NULL;
    m.out = made;
    while (m.at < m.end) {
        if (*m.at == '"')
            mend_text(&m);
        else if (is_space(*m.at) || (*m.at && strchr(",:[]{}", *m.at)))
            mend_sign(&m);
        else
            mend_word(&m);
    }
    *m.out = 0;
    if (m.no_memory) {
        free(made);
        return NULL;
    }
    int64_t bad;
    for (char *from = made; (bad = utf8_check(from)) >= 0;) *(from += bad) = '?';
    return made;
}

json_t *dataset_text_object(const char *bytes, size_t size, dataset_text_fault *fault)
{
    json_tree_problem problem, again = { 0 };
    *fault = (dataset_text_fault){ 0 };
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) bytes += 3, size -= 3;
    json_t *tree = json_tree_read(bytes, size, true, &problem);
    if (!tree && !problem.memory) {
        char *mended = mend(bytes, size);
        if (!mended) return no_memory(fault);
        tree = json_tree_read(mended, strlen(mended), true, &again);
        free(mended);
    }
    if (problem.memory || again.memory) return no_memory(fault);
    if (json_is_object(tree)) return tree;
    if (tree)
        snprintf(fault->why, sizeof fault->why, "is no JSON object");
    else
        snprintf(fault->why, sizeof fault->why, "line %d: %s", problem.line, problem.text);
    json_decref(tree);
    return NULL;
}

char *dataset_text_print(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (text) vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

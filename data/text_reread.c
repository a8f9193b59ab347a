/* text_reread.c -- misread text as the bytes that it was, and those as UTF-8.
 * SPDX-License-Identifier: MIT */
#include "data/text_charset.h"
#include "data/text_mojibake.h"

#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    uint8_t *at;
    int64_t count;
} bytes;

/* One byte of a pattern: any of these ranges, as pairs, in a string. */
typedef const char *range;

static bool in_range(range r, uint8_t byte)
{
    for (; *r; r += 2)
        if (byte >= (uint8_t)r[0] && byte <= (uint8_t)r[1]) return true;
    return false;
}

#define MOST 6
typedef range pattern[MOST];

static int64_t match(const pattern p, const bytes *b, int64_t at)
{
    int64_t i = 0;
    for (; i < MOST && p[i]; ++i)
        if (at + i >= b->count || !in_range(p[i], b->at[at + i])) return 0;
    return i;
}

static int64_t match_any(const pattern *p, int count, const bytes *b, int64_t at)
{
    int64_t length = 0;
    for (int i = 0; i < count && length == 0; ++i) length = match(p[i], b, at);
    return length;
}

#define SPACE    "  "
#define CONTINUE "\x80\xbf"
/* But those whose character is often written beside a space. */
#define CONTINUE_SURE "\x80\x84\x86\x9f\xa1\xbf"

/* UTF-8 whose byte 0xa0, a space that does not break, has become a plain one. */
static const pattern altered[] = {
    { "\xc2\xc3\xc5\xc5\xce\xce\xd0\xd0\xd9\xd9", SPACE },
    { "\xe2\xe3", SPACE, CONTINUE_SURE },
    { "\xe0\xe3", CONTINUE_SURE, SPACE },
    { "\xf0\xf0", SPACE, CONTINUE, CONTINUE },
    { "\xf0\xf0", CONTINUE, SPACE, CONTINUE },
    { "\xf0\xf0", CONTINUE, CONTINUE, SPACE },
};

#define LOST          "\x1a\x1a"
#define LOST_OR_ASKED "\x1a\x1a??"
#define CONTINUE_LOST CONTINUE LOST
#define CONTINUE_ALL  CONTINUE LOST_OR_ASKED
#define HIGH          "\xed\xed", "\xa0\xaf"
#define LOW           "\xed\xed", "\xb0\xbf"

/* UTF-8 of which bytes have been lost. */
static const pattern lossy[] = {
    { "\xc2\xdf", LOST },
    { "\xc2\xc3", "??" },
    { HIGH, LOST_OR_ASKED, LOW, CONTINUE_ALL },
    { HIGH, CONTINUE_ALL, LOW, LOST_OR_ASKED },
    { "\xe0\xef", LOST_OR_ASKED, CONTINUE_LOST },
    { "\xe0\xef", CONTINUE_LOST, LOST_OR_ASKED },
    { "\xf0\xf4", LOST_OR_ASKED, CONTINUE_LOST, CONTINUE_LOST },
    { "\xf0\xf4", CONTINUE_LOST, LOST_OR_ASKED, CONTINUE_LOST },
    { "\xf0\xf4", CONTINUE_LOST, CONTINUE_LOST, LOST_OR_ASKED },
    { LOST },
};
#define PATTERNS(p) p, (int)(sizeof p / sizeof *p)

static bool has_altered(const bytes *b)
{
    for (int64_t i = 0; i < b->count; ++i)
        if (match_any(PATTERNS(altered), b, i)) return true;
    return false;
}

/* "à la": a word of its own keeps its space, but for what Portuguese joins with it. */
static bool is_word_a(const bytes *b, int64_t at)
{
    static const char *const joined[] = { " ", "quele", "quela", "quilo", "s " };
    if (at + 1 >= b->count || b->at[at] != 0xc3 || b->at[at + 1] != ' ') return false;
    for (size_t i = 0; i < sizeof joined / sizeof *joined; ++i) {
        int64_t length = (int64_t)strlen(joined[i]);
        if (b->count - at - 2 >= length && memcmp(b->at + at + 2, joined[i], (size_t)length) == 0)
            return false;
    }
    return true;
}

static void put(bytes *b, const void *what, int64_t count)
{
    memcpy(b->at + b->count, what, (size_t)count);
    b->count += count;
}

static void split_words_a(const bytes *b, int64_t *i, bytes *out)
{
    if (is_word_a(b, *i)) {
        put(out, "\xc3\xa0 ", 3);
        *i += 2;
    } else {
        put(out, b->at + (*i)++, 1);
    }
}

static void restore_spaces(const bytes *b, int64_t *i, bytes *out)
{
    int64_t length = match_any(PATTERNS(altered), b, *i);
    for (int64_t k = 0; k < length; ++k)
        put(out, b->at[*i + k] == ' ' ? (const uint8_t *)"\xa0" : b->at + *i + k, 1);
    if (length == 0) put(out, b->at + *i, length = 1);
    *i += length;
}

static void mark_lost(const bytes *b, int64_t *i, bytes *out)
{
    int64_t length = match_any(PATTERNS(lossy), b, *i);
    if (length)
        put(out, "\xef\xbf\xbd", 3);
    else
        put(out, b->at + *i, length = 1);
    *i += length;
}

/* Takes one step after the other through the bytes; what comes out is at most three times as long. */
static bool rewrite(bytes *b, void (*step)(const bytes *b, int64_t *i, bytes *out))
{
    bytes out = { malloc((size_t)b->count * 3 + 1), 0 };
    if (!out.at) return false;
    for (int64_t i = 0; i < b->count;) step(b, &i, &out);
    free(b->at);
    *b = out;
    return true;
}

static bool mend(text_charset set, bytes *b)
{
    bool good = true;
    if (set != TEXT_MACROMAN && has_altered(b))
        good = rewrite(b, split_words_a) && rewrite(b, restore_spaces);
    return good && (!text_charset_is_windows(set) || rewrite(b, mark_lost));
}

/* The text read again, if it can have been UTF-8 that was read in this character set. */
static bool reread(text_charset set, text_runes *t)
{
    bytes b = { text_charset_encode(set, t), t->count };
    text_runes out = { 0 };
    if (!b.at) return false;
    bool good = mend(set, &b);
    if (!good) t->failed = TEXT_RUNES_NO_MEMORY;
    good = good && text_charset_utf8(
                       b.at, b.count,
                       memchr(b.at, 0xed, (size_t)b.count) || memchr(b.at, 0xc0, (size_t)b.count), &out);
    if (good)
        text_runes_take(t, &out);
    else
        text_runes_free(&out);
    free(b.at);
    return good;
}

static bool may_continue(const text_runes *t, int64_t at)
{
    return at < t->count && (t->at[at] == ' ' || (text_charset_roles(t->at[at]) & TEXT_CONTINUES));
}

/* Of what seems to be one character of UTF-8, or 0. */
static int64_t sequence_length(const text_runes *t, int64_t at)
{
    static const int first[] = { TEXT_FIRST_OF_2, TEXT_FIRST_OF_3, TEXT_FIRST_OF_4 };
    int roles = text_charset_roles(t->at[at]);
    for (int i = 0; i < 3; ++i) {
        int64_t length = 1;
        if (!(roles & first[i])) continue;
        while (length < i + 2 && may_continue(t, at + length)) ++length;
        if (length == i + 2) return length;
    }
    return 0;
}

/* Behind the sequences that begin at `at`, or `at`. */
static int64_t end_of_sequences(const text_runes *t, int64_t at)
{
    int64_t length = 1;
    for (; length > 0 && at < t->count; at += length) length = sequence_length(t, at);
    return at;
}

/* Stands for itself beside misread text as often as not: dashes, quotation marks, bullet, ellipsis. */
static bool is_plain_mark(uint32_t c)
{
    return (c >= 0x2013 && c <= 0x2015) || (c >= 0x2018 && c <= 0x201a) || (c >= 0x201c && c <= 0x201e) ||
           c == 0x2022 || c == 0x2026;
}

static bool may_begin(const text_runes *t, int64_t at)
{
    uint32_t before = at > 0 ? t->at[at - 1] : 'a';
    return is_plain_mark(before) || !(text_charset_roles(before) & TEXT_CONTINUES);
}

static void append_fixed(text_runes *out, const uint32_t *at, int64_t count, bool whole)
{
    text_runes part = { 0 };
    text_runes_append(&part, at, count);
    if (!whole && text_mojibake_is_likely(&part)) text_mojibake_fix(&part);
    text_runes_append(out, part.at, part.count);
    if (part.failed && !out->failed) out->failed = part.failed;
    text_runes_free(&part);
}

/* Sequences that look like UTF-8 amid other text, each on its own. */
static bool fix_parts(text_runes *t)
{
    text_runes out = { 0 };
    for (int64_t i = 0; i < t->count && !out.failed;) {
        int64_t end = may_begin(t, i) ? end_of_sequences(t, i) : i;
        if (end > i)
            append_fixed(&out, t->at + i, end - i, end - i == t->count);
        else
            text_runes_put(&out, t->at[i]);
        i = end > i ? end : i + 1;
    }
    bool changed = out.failed || !text_runes_same(&out, t);
    text_runes_take(t, &out);
    return changed;
}

void text_mojibake_fix_controls(text_runes *t)
{
    for (int64_t i = 0; i < t->count; ++i)
        if (t->at[i] >= 0x80 && t->at[i] < 0xa0) t->at[i] = text_charset_windows(t->at[i]);
}

/* One step; false when there is nothing to mend. */
static bool fix_once(text_runes *t)
{
    if (t->failed || !text_mojibake_is_likely(t)) return false;
    for (text_charset set = TEXT_LATIN_1; set < TEXT_CHARSETS && !t->failed; ++set) {
        text_runes before = { 0 };
        text_runes_append(&before, t->at, t->count);
        bool read = reread(set, t), same = read && text_runes_same(&before, t);
        if (before.failed) t->failed = before.failed;
        text_runes_free(&before);
        if (read) return !same;
    }
    if (t->failed || fix_parts(t)) return !t->failed;
    text_runes before = { 0 };
    text_runes_append(&before, t->at, t->count);
    text_mojibake_fix_controls(t);
    bool changed = !text_runes_same(&before, t);
    if (before.failed) t->failed = before.failed;
    text_runes_free(&before);
    return changed && !t->failed;
}

void text_mojibake_fix(text_runes *t)
{
    while (fix_once(t)) continue;
}

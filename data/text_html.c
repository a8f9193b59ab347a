/* text_html.c -- finds references; data/text_html.def has the standard's names.
 * SPDX-License-Identifier: MIT */
#include "data/text_html.h"

#include "data/text_charset.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST 32 /* characters of a name that are looked at, without the semicolon */

typedef struct entity {
    const char *name;
    uint32_t first, second; /* second: 0 where it stands for one character */
    bool open;              /* may lack its semicolon */
} entity;

static const entity entities[] = {
#define ENTITY(name, first, second, open) { name, first, second, open },
#include "data/text_html.def"
#undef ENTITY
};

static int compare(const void *name, const void *e)
{
    return strcmp(name, ((const entity *)e)->name);
}

static const entity *find(const char *name)
{
    return bsearch(name, entities, sizeof entities / sizeof *entities, sizeof *entities, compare);
}

/* The longest name without semicolon that this begins with. */
static const entity *find_open(const char *name, int *length)
{
    char part[LONGEST + 1];
    for (*length = (int)strlen(name); *length >= 2; --*length) {
        memcpy(part, name, (size_t)*length);
        part[*length] = '\0';
        const entity *e = find(part);
        if (e && e->open) return e;
    }
    return NULL;
}

static void put_entity(text_runes *out, const entity *e)
{
    text_runes_put(out, e->first);
    if (e->second) text_runes_put(out, e->second);
}

static bool is_control(uint32_t c)
{
    return (c > 0 && c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || (c >= 0x7f && c < 0xa0);
}

static bool is_never_a_character(uint32_t c)
{
    return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

/* What the standard makes of a number; a control of the second kind is read as Windows-1252. */
static void put_number(text_runes *out, uint32_t c)
{
    if (c >= 0x80 && c < 0xa0)
        text_runes_put(out, text_charset_windows(c));
    else if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        text_runes_put(out, 0xfffd);
    else if (!is_control(c) && !is_never_a_character(c))
        text_runes_put(out, c);
}

static int digit_of(uint32_t c, int base)
{
    int digit = c >= '0' && c <= '9'   ? (int)c - '0'
                : c >= 'a' && c <= 'f' ? (int)c - 'a' + 10
                : c >= 'A' && c <= 'F' ? (int)c - 'A' + 10
                                       : base;
    return digit < base ? digit : -1;
}

/* Reads "#233" or "#xe9" at `at`; returns its length, 0 if it is none. */
static int64_t read_number(const uint32_t *at, int64_t count, uint32_t *number)
{
    if (count < 2 || at[0] != '#') return 0;
    bool hexadecimal = at[1] == 'x' || at[1] == 'X';
    int base = hexadecimal ? 16 : 10;
    int64_t start = hexadecimal ? 2 : 1, i = start;
    *number = 0;
    for (int digit; i < count && (digit = digit_of(at[i], base)) >= 0; ++i)
        if (*number <= 0x10ffff) *number = *number * (uint32_t)base + (uint32_t)digit;
    return i > start ? i : 0;
}

static bool ends_name(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\f' || c == ' ' || c == '<' || c == '&' || c == '#' || c == ';';
}

/* The characters up to what cannot stand in a name; `name` has them as far as they are ASCII. */
static int64_t read_name(const uint32_t *at, int64_t count, char name[LONGEST + 1])
{
    int64_t length = 0;
    int ascii = 0;
    for (; length < count && length < LONGEST && !ends_name(at[length]); ++length)
        if (ascii == length && at[length] < 0x80 && at[length] > 0) name[ascii++] = (char)at[length];
    name[ascii] = '\0';
    return length;
}

/* Of a name of `length` characters behind '&'; returns how many characters behind '&' are used up. */
static int64_t put_name(text_runes *out, const uint32_t *at, int64_t length, bool closed, const char *name)
{
    const entity *e = (int64_t)strlen(name) == length ? find(name) : NULL;
    int used = (int)length;
    if (e && (closed || e->open)) {
        put_entity(out, e);
        return length + closed;
    }
    if ((e = find_open(name, &used)) != NULL)
        put_entity(out, e);
    else
        text_runes_put(out, '&');
    text_runes_append(out, at + (e ? used : 0), length + closed - (e ? used : 0));
    return length + closed;
}

/* The reference at `at`, behind '&'; returns how many characters it has, 0 where it is none. */
static int64_t put_reference(text_runes *out, const uint32_t *at, int64_t count)
{
    uint32_t number;
    char name[LONGEST + 1];
    int64_t length = read_number(at, count, &number);
    if (length > 0) {
        put_number(out, number);
        return length + (length < count && at[length] == ';');
    }
    length = read_name(at, count, name);
    return length > 0 ? put_name(out, at, length, length < count && at[length] == ';', name) : 0;
}

/* Goes through the text, and lets `put` do what stands behind each '&'. */
static void replace(text_runes *t, int64_t (*put)(text_runes *out, const uint32_t *at, int64_t count))
{
    text_runes out = { .failed = t->failed };
    bool any = false;
    for (int64_t i = 0; i < t->count && !any; ++i) any = t->at[i] == '&';
    if (!any) return;
    for (int64_t i = 0; i < t->count;) {
        int64_t used = t->at[i] == '&' ? put(&out, t->at + i + 1, t->count - i - 1) : 0;
        if (used == 0) text_runes_put(&out, t->at[i]);
        i += used + 1;
    }
    text_runes_take(t, &out);
}

void text_html_unescape(text_runes *t)
{
    replace(t, put_reference);
}

/* "NTILDE" for "ntilde": capitals and digits only, of a name that HTML does not know in any way. */
static const entity *find_capitals(const char *name)
{
    char lower[LONGEST + 1];
    int length, i = 0;
    for (; name[i]; ++i) {
        if (name[i] >= 'a' && name[i] <= 'z') return NULL;
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    }
    lower[i] = '\0';
    return find_open(name, &length) ? NULL : find(lower);
}

static bool put_sure_name(text_runes *out, const char *name)
{
    const entity *e = find(name);
    if (e) return put_entity(out, e), true;
    if (!(e = find_capitals(name))) return false;
    text_runes_put_upper(out, e->first);
    if (e->second) text_runes_put_upper(out, e->second);
    return true;
}

static int64_t put_sure(text_runes *out, const uint32_t *at, int64_t count)
{
    enum { MOST = 24 }; /* letters and digits, not counting '#' */
    uint32_t number;
    char name[LONGEST + 1];
    int64_t length = read_number(at, count, &number), used = length;
    if (length > 0) {
        if (length - 1 > MOST || length == count || at[length] != ';' || number == ';') return 0;
        put_number(out, number);
        return used + 1;
    }
    length = read_name(at, count, name);
    if (length == 0 || length > MOST || length == count || at[length] != ';') return 0;
    return (int64_t)strlen(name) == length && put_sure_name(out, name) ? length + 1 : 0;
}

void text_html_unescape_sure(text_runes *t)
{
    replace(t, put_sure);
}

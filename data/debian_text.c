/* debian_text.c -- names into words.  Letters and digits are ASCII's; other bytes count as letters.
 * SPDX-License-Identifier: MIT */
#include "data/debian_text.h"
#include "host/base/utf8.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

static char lower(char c)
{
    return is_upper(c) ? (char)(c + 32) : c;
}

/* The last part of a path without its ending. */
static const char *stem_of(const char *file, size_t *length)
{
    const char *slash = strrchr(file, '/'), *stem = slash ? slash + 1 : file, *dot = strrchr(stem, '.');
    *length = dot ? (size_t)(dot - stem) : strlen(stem);
    return stem;
}

/* Whether a word of the author begins with these letters. */
static bool is_of_author(const char *word, size_t length, const char *author)
{
    for (const char *a = author ? author : ""; *a; ++a) {
        bool begins = a == author || !is_letter(a[-1]);
        if (begins && length > 1 && strncasecmp(a, word, length) == 0) return true;
    }
    return false;
}

/* Cuts the author's words, and what is then left of a hyphen, off the end of lower-case words. */
static void drop_author(char *words, const char *author)
{
    for (char *space; (space = strrchr(words, ' ')) && is_of_author(space + 1, strlen(space + 1), author);)
        *space = '\0';
}

char *debian_text_name(arena *memory, const char *file, const char *author)
{
    size_t length, used = 0;
    const char *stem = stem_of(file, &length), *by = strstr(stem, "_by_");
    char *words = arena_alloc(memory, 2 * length + 1);
    if (!words) return NULL;
    if (by && (size_t)(by - stem) < length) length = (size_t)(by - stem);
    for (size_t i = 0; i < length; ++i) {
        char c = stem[i];
        /* "GreenMeadow" is two words, "bench2" one; a letter alone behind a number is a variant's. */
        bool camel = i && is_upper(c) && is_letter(stem[i - 1]) && !is_upper(stem[i - 1]);
        bool variant = i && is_letter(c) && (i + 1 == length || !is_letter(stem[i + 1])) &&
                       (is_digit(stem[i - 1]) || (i > 1 && stem[i - 1] == '-' && is_digit(stem[i - 2])));
        bool gap = camel || !is_letter(c) || variant;
        if (gap && used && words[used - 1] != ' ') words[used++] = ' ';
        if (is_letter(c) && !variant) words[used++] = lower(c);
    }
    while (used && words[used - 1] == ' ') --used;
    words[used] = '\0';
    drop_author(words, author);
    if (utf8_check(words) >= 0) *words = '\0';
    return words;
}

static bool has_letter(const char *text)
{
    while (*text)
        if (is_letter(*text++)) return true;
    return false;
}

static bool is_caption(const char *text)
{
    static const char *const signs[] = { "://", "www.", "quot;", "&amp", "&#", "@" };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; ++i)
        if (strstr(text, signs[i])) return false;
    return strlen(text) <= DEBIAN_MAX_CAPTION && has_letter(text) && utf8_check(text) < 0;
}

char *debian_text_title(arena *memory, const char *text)
{
    char *title = arena_strdup(memory, text);
    if (!title) return NULL;
    size_t used = 0;
    for (const char *c = text; *c; ++c) {
        bool gap = *c == '_' || (unsigned char)*c <= ' ';
        if (!gap)
            title[used++] = *c;
        else if (used && title[used - 1] != ' ')
            title[used++] = ' ';
    }
    while (used && strchr(" #0123456789", title[used - 1])) --used;
    title[used] = '\0';
    char *stop = strchr(title, '.');
    if (stop && !stop[1]) *stop = '\0';
    if (!is_caption(title)) *title = '\0';
    return title;
}

static char *first_bytes(arena *memory, const char *file, size_t length)
{
    return arena_printf(memory, "%.*s", (int)length, file);
}

char *debian_text_first_word(arena *memory, const char *file)
{
    size_t length, word = 0;
    const char *stem = stem_of(file, &length);
    while (word < length && is_letter(stem[word])) ++word;
    return first_bytes(memory, file, (size_t)(stem - file) + (word ? word : length));
}

char *debian_text_without_number(arena *memory, const char *file)
{
    size_t length;
    const char *stem = stem_of(file, &length);
    size_t whole = length;
    while (length && !is_letter(stem[length - 1])) --length;
    return first_bytes(memory, file, (size_t)(stem - file) + (length ? length : whole));
}

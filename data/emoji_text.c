/* emoji_text.c -- see emoji_text.h.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_text.h"
#include "data/emoji_colour.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const spellings[][2] = {
    { "’", "'" }, { "“", "" },  { "”", "" },  { "&", "and" }, { "(", "" },  { ")", "" },  { "é", "e" },
    { "è", "e" }, { "ô", "o" }, { "Å", "A" }, { "å", "a" },   { "ç", "c" }, { "ã", "a" }, { "í", "i" },
    { "ñ", "n" }, { "ü", "u" }, { "ê", "e" }, { "ō", "o" },   { "ó", "o" }, { "á", "a" },
};

void emoji_text_plain(const char *text, char *out)
{
    while (*text) {
        size_t i = 0, count = sizeof spellings / sizeof *spellings;
        while (i < count && strncmp(text, spellings[i][0], strlen(spellings[i][0])) != 0) ++i;
        if (i == count) {
            *out++ = *text++;
            continue;
        }
        text += strlen(spellings[i][0]);
        out = stpcpy(out, spellings[i][1]);
    }
    *out = 0;
}

int emoji_text_words(const char *text)
{
    int count = 0;
    for (text += strspn(text, " "); *text; ++count) {
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
    return count;
}

void emoji_text_fill(const char *format, const char *word, char *out, size_t size)
{
    const char *place = strstr(format, "%s");
    snprintf(out, size, "%.*s%s%s", (int)(place - format), format, word, place + 2);
}

void emoji_text_hyphens(const char *text, char *apart, char *together, size_t size)
{
    size_t n = 0, m = 0;
    for (; *text && n + 1 < size; ++text) {
        apart[n++] = *text == '-' ? ' ' : *text;
        if (*text != '-') together[m++] = *text;
    }
    apart[n] = together[m] = 0;
}

bool emoji_text_is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80) ++text;
    return !*text;
}

bool emoji_text_is_doing(const char *text)
{
    for (int word = 0; word < 2 && *text; ++word) {
        size_t length = strcspn(text, " ");
        if (length > 5 && memcmp(text + length - 3, "ing", 3) == 0) return true;
        text += length;
        text += strspn(text, " ");
    }
    return false;
}

bool emoji_text_has_colour(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, " ,-");
        if (emoji_colour_is_name(text, length)) return true;
        text += length;
        text += strspn(text, " ,-");
    }
    return false;
}

bool emoji_text_plural(const char *text, char *out, size_t size)
{
    static const char *const doubtful[] = { "s",       "f",     "fe",    "ice",   "rice",  "food",
                                            "fish",    "sheep", "deer",  "bread", "salt",  "corn",
                                            "ing",     "ed",    "meat",  "bacon", "milk",  "moose",
                                            "mouse",   "ox",    "goose", "teeth", "tooth", "foot",
                                            "clothes", "water", "money", "fire",  "wood",  "cheese" };
    size_t length = strlen(text);
    if (strpbrk(text, ":,()'") || emoji_text_words(text) > 2 || length < 3) return false;
    for (size_t i = 0; i < sizeof doubtful / sizeof *doubtful; ++i) {
        size_t end = strlen(doubtful[i]);
        if (length >= end && strcmp(text + length - end, doubtful[i]) == 0) return false;
    }
    if (!islower((unsigned char)text[length - 1])) return false;
    const char *tail = text + length - 2;
    bool es = text[length - 1] == 'x' || strcmp(tail, "sh") == 0 || strcmp(tail, "ch") == 0;
    if (text[length - 1] == 'y' && !strchr("aeiou", tail[0]))
        snprintf(out, size, "%.*sies", (int)length - 1, text);
    else
        snprintf(out, size, "%s%s", text, es ? "es" : "s");
    return true;
}

void emoji_text_key(const char *text, char *out, size_t size)
{
    size_t used = 0;
    while (*text && used + 2 < size) {
        size_t start = used;
        while (
            *text &&
            (isalnum((unsigned char)*text) || (unsigned char)*text >= 0x80 || *text == '#' || *text == '*') &&
            used + 2 < size)
            out[used++] = (char)tolower((unsigned char)*text++);
        size_t length = used - start;
        bool article = (length == 1 && out[start] == 'a') ||
                       (length == 2 && memcmp(out + start, "an", 2) == 0) ||
                       (length == 3 && memcmp(out + start, "the", 3) == 0);
        if (article) used = start;
        if (length && !article) out[used++] = ' ';
        if (*text &&
            !(isalnum((unsigned char)*text) || (unsigned char)*text >= 0x80 || *text == '#' || *text == '*'))
            ++text;
    }
    out[used] = 0;
}

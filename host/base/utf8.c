/* utf8.c -- well-formedness, decoding, and the little that is needed about letters.
 * SPDX-License-Identifier: MIT */
#include "host/base/utf8.h"

#include <stddef.h>

/* The length of the character at `s`, or 0; smallest legal second bytes rule out long forms,
 * surrogates and values above U+10FFFF. */
static int character_length(const unsigned char *s)
{
    unsigned char lead = s[0], low = 0x80, high = 0xbf;
    int length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    if (length > 1 && (s[1] < low || s[1] > high)) return 0;
    for (int i = 2; i < length; ++i)
        if ((s[i] & 0xc0) != 0x80) return 0; /* a NUL ends this too */
    return length;
}

int64_t utf8_check(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        int length = character_length(s);
        if (length == 0) return (const char *)s - text;
        s += length;
    }
    return -1;
}

uint32_t utf8_next(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    if (*s == 0) return 0;
    int length = character_length(s);
    uint32_t c = length == 1 ? s[0] : s[0] & (0x7fu >> length);
    for (int i = 1; i < length; ++i) c = c << 6 | (s[i] & 0x3fu);
    *text += length ? length : 1;
    return c;
}

int utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; --i, c >>= 6) out[i] = (char)(0x80u | (c & 0x3fu));
    out[0] = (char)((0xf00u >> length & 0xf0u) | c);
    return length;
}

uint32_t utf8_lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7)) return c + 32;
    if (c == 0x178) return 0xff;
    if (c == 0x130) return 'i';
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e)) return c + (c & 1);
    if (c >= 0x100 && c <= 0x177 && c != 0x138) return c | 1;
    if (c >= 0x391 && c <= 0x3ab && c != 0x3a2) return c + 32;
    if (c >= 0x400 && c <= 0x40f) return c + 80;
    if (c >= 0x410 && c <= 0x42f) return c + 32;
    if ((c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f)) return c | 1;
    if (c >= 0x531 && c <= 0x556) return c + 48;
    if (c >= 0x1e00 && c <= 0x1e95) return c | 1;
    if (c >= 0x1ea0 && c <= 0x1eff) return c | 1;
    return c;
}

int utf8_is_letter(uint32_t c)
{
    static const uint32_t others[][2] = {
        { 0xd7, 0xd7 },     { 0xf7, 0xf7 },       { 0x37e, 0x37e },      { 0x387, 0x387 },
        { 0x55a, 0x55f },   { 0x589, 0x58f },     { 0x5be, 0x5be },      { 0x5f3, 0x5f4 },
        { 0x600, 0x60f },   { 0x61b, 0x61f },     { 0x660, 0x66d },      { 0x6d4, 0x6d4 },
        { 0x964, 0x970 },   { 0x2000, 0x2070 },   { 0x2074, 0x207e },    { 0x2080, 0x208e },
        { 0x20a0, 0x20cf }, { 0x2100, 0x2bff },   { 0x2e00, 0x2e7f },    { 0x3000, 0x3004 },
        { 0x3007, 0x3030 }, { 0x30fb, 0x30fb },   { 0x3200, 0x33ff },    { 0xe000, 0xf8ff },
        { 0xfe00, 0xfe6f }, { 0xfeff, 0xff20 },   { 0xff3b, 0xff40 },    { 0xff5b, 0xff65 },
        { 0xffe0, 0xffff }, { 0x1f000, 0x1faff }, { 0xe0000, 0x10ffff },
    };
    if (c < 0x80) return (c | 32) >= 'a' && (c | 32) <= 'z';
    if (c < 0xc0) return c == 0xaa || c == 0xb5 || c == 0xba;
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i)
        if (c >= others[i][0] && c <= others[i][1]) return 0;
    return 1;
}

/* The second half of them, 0x80 to 0x9f, is two bytes in UTF-8; some terminals obey those bytes alone. */
static int is_control(const unsigned char *s, int length)
{
    if (length == 2) return s[0] == 0xc2 && s[1] < 0xa0;
    if (length == 0) return *s < 0xa0;
    return length == 1 && (*s < ' ' || *s == 0x7f);
}

static char *make_plain(char *text, int keeps_layout)
{
    for (unsigned char *s = (unsigned char *)text; *s;) {
        int length = character_length(s), bytes = length ? length : 1;
        int control = is_control(s, length) && !(keeps_layout && (*s == '\t' || *s == '\n'));
        for (; bytes > 0; --bytes, ++s)
            if (control) *s = '?';
    }
    return text;
}

char *utf8_plain(char *text)
{
    return make_plain(text, 1);
}

char *utf8_plain_line(char *text)
{
    return make_plain(text, 0);
}

/* Unicode's White_Space, and the characters that only say whether a line may break. */
static int is_space(uint32_t c)
{
    static const uint32_t spaces[][2] = {
        { 0x9, 0xd },       { 0x20, 0x20 },     { 0x85, 0x85 },     { 0xa0, 0xa0 },
        { 0x1680, 0x1680 }, { 0x180e, 0x180e }, { 0x2000, 0x200d }, { 0x2028, 0x2029 },
        { 0x202f, 0x202f }, { 0x205f, 0x2060 }, { 0x3000, 0x3000 }, { 0xfeff, 0xfeff },
    };
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; ++i)
        if (c >= spaces[i][0] && c <= spaces[i][1]) return 1;
    return 0;
}

int utf8_is_blank(const char *text)
{
    uint32_t c;
    while ((c = utf8_next(&text)) != 0)
        if (!is_space(c)) return 0;
    return 1;
}

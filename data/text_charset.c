/* text_charset.c -- looks characters up; data/text_charset.def has the published mappings.
 * SPDX-License-Identifier: MIT */
#include "data/text_charset.h"

#include <stdlib.h>

/* The upper half of each set but Latin 1, whose bytes are the characters' numbers. */
static const uint16_t upper[TEXT_CHARSETS - 1][128] = {
#include "data/text_charset.def"
};

bool text_charset_is_windows(text_charset c)
{
    return c >= TEXT_WINDOWS_1252 && c <= TEXT_WINDOWS_1257;
}

uint32_t text_charset_windows(uint32_t byte)
{
    return upper[TEXT_WINDOWS_1252 - 1][byte - 0x80];
}

/* The byte, or -1. */
static int byte_of(text_charset set, uint32_t c)
{
    bool windows = text_charset_is_windows(set);
    if (windows && c == 0xfffd) return 0x1a;
    if (c < 0x80) return windows && c == 0x1a ? -1 : (int)c;
    if (set == TEXT_LATIN_1) return c < 0x100 ? (int)c : -1;
    for (int i = 0; i < 128; ++i)
        if (upper[set - 1][i] == c) return 0x80 + i;
    return -1;
}

uint8_t *text_charset_encode(text_charset c, text_runes *text)
{
    for (int64_t i = 0; i < text->count; ++i)
        if (byte_of(c, text->at[i]) < 0) return NULL;
    uint8_t *bytes = malloc((size_t)text->count + 1);
    if (!bytes) return text->failed = TEXT_RUNES_NO_MEMORY, NULL;
    for (int64_t i = 0; i < text->count; ++i) bytes[i] = (uint8_t)byte_of(c, text->at[i]);
    return bytes;
}

static bool continues(const uint8_t *bytes, int64_t count, int64_t more)
{
    if (count < more + 1) return false;
    for (int64_t i = 1; i <= more; ++i)
        if ((bytes[i] & 0xc0) != 0x80) return false;
    return true;
}

/* One character as RFC 3629 has it; returns its length, 0 if it is none. */
static int64_t read_strict(const uint8_t *b, int64_t count, uint32_t *c)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    int64_t more = b[0] < 0x80 ? 0 : b[0] >= 0xf0 ? 3 : b[0] >= 0xe0 ? 2 : 1;
    if ((b[0] >= 0x80 && b[0] < 0xc0) || b[0] >= 0xf8 || !continues(b, count, more)) return 0;
    *c = more == 0 ? b[0] : b[0] & (0x3fu >> more);
    for (int64_t i = 1; i <= more; ++i) *c = *c << 6 | (b[i] & 0x3f);
    return *c < least[more] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : more + 1;
}

static bool in(uint8_t byte, uint8_t first, uint8_t last)
{
    return byte >= first && byte <= last;
}

/* What ftfy's "utf-8-variants" reads besides: where the last continuation byte would be, it takes a line end
 * that is the last byte of all, since its patterns say "or the end". */
static int64_t read_loose(const uint8_t *b, int64_t count, uint32_t *c)
{
    if (b[0] == 0xc0 && count > 1 && (b[1] == 0x80 || (b[1] == '\n' && count == 2))) return *c = 0, 2;
    if (count < 6 || b[0] != 0xed || b[3] != 0xed || !in(b[1], 0xa0, 0xaf) || !in(b[2], 0x80, 0xbf) ||
        !in(b[4], 0xb0, 0xbf) || !(in(b[5], 0x80, 0xbf) || (b[5] == '\n' && count == 6)))
        return 0;
    *c = 0x10000u + ((b[1] & 0x0fu) << 16) + ((b[2] & 0x3fu) << 10) + ((b[4] & 0x0fu) << 6) + (b[5] & 0x3fu);
    return 6;
}

bool text_charset_utf8(const uint8_t *bytes, int64_t count, bool loose, text_runes *out)
{
    for (int64_t i = 0; i < count;) {
        uint32_t c = 0;
        int64_t used = read_strict(bytes + i, count - i, &c);
        if (used == 0 && loose) used = read_loose(bytes + i, count - i, &c);
        if (used == 0) return false;
        text_runes_put(out, c);
        i += used;
    }
    return true;
}

static int role_of(int byte)
{
    return byte < 0x80                    ? 0
           : byte < 0xc0                  ? TEXT_CONTINUES
           : byte >= 0xc2 && byte < 0xe0  ? TEXT_FIRST_OF_2
           : byte >= 0xe0 && byte < 0xf0  ? TEXT_FIRST_OF_3
           : byte == 0xf0 || byte == 0xf3 ? TEXT_FIRST_OF_4
                                          : 0;
}

int text_charset_roles(uint32_t c)
{
    int roles = 0;
    if (c == 0xfffd || c < 0x80) return 0;
    for (text_charset set = TEXT_LATIN_1; set <= TEXT_WINDOWS_1257; ++set) roles |= role_of(byte_of(set, c));
    return roles;
}

/* text_charset.h -- the one-byte character sets that text is most often misread in, and UTF-8 as it is found.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TEXT_CHARSET_H
#define DALLE_CL_DATA_TEXT_CHARSET_H

#include "data/text_runes.h"

/* In the order in which they are tried. */
typedef enum text_charset {
    TEXT_LATIN_1,
    TEXT_WINDOWS_1252,
    TEXT_WINDOWS_1251,
    TEXT_WINDOWS_1250,
    TEXT_WINDOWS_1253,
    TEXT_WINDOWS_1254,
    TEXT_WINDOWS_1257,
    TEXT_ISO_8859_2,
    TEXT_MACROMAN,
    TEXT_CP437,
    TEXT_CHARSETS
} text_charset;

/* The Windows sets have holes: a byte without meaning is the control character of its number, and U+FFFD,
 * which stands where a byte was lost, is byte 0x1a. */
bool text_charset_is_windows(text_charset c);
uint32_t text_charset_windows(uint32_t byte); /* 0x80 and more in Windows-1252 */

/* The bytes that would be read as this text, to be freed; NULL where there are none, or without memory, which
 * `text` then says. */
uint8_t *text_charset_encode(text_charset c, text_runes *text);

/* Bytes as UTF-8; `loose` also takes Java's two-byte zero and surrogate pairs written as three bytes each.
 * False if they are not UTF-8. */
bool text_charset_utf8(const uint8_t *bytes, int64_t count, bool loose, text_runes *out);

/* What a character's byte would be in UTF-8, in any of the sets that resemble Latin 1. */
enum { TEXT_FIRST_OF_2 = 1, TEXT_FIRST_OF_3 = 2, TEXT_FIRST_OF_4 = 4, TEXT_CONTINUES = 8 };
int text_charset_roles(uint32_t c);

#endif

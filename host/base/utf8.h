/* utf8.h -- checks UTF-8 and walks through its characters.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_BASE_UTF8_H
#define DALLE_CL_BASE_UTF8_H

#include <stdint.h>

/* The position of the first byte that is not well-formed UTF-8 (RFC 3629), or -1. */
int64_t utf8_check(const char *text);
/* The next character of checked text; *text moves past it.  0 at the end. */
uint32_t utf8_next(const char **text);
/* Writes a character's bytes (no NUL) and returns their number, 1 to 4. */
int utf8_put(uint32_t character, char out[4]);

uint32_t utf8_lower(uint32_t character); /* Latin, Greek, Cyrillic and Armenian; others as they are */
/* Letters of any script: neither digits, spaces, punctuation nor signs such as emoji. */
int utf8_is_letter(uint32_t character);
/* Puts a '?' for each byte of a control character but tabs and line ends, of any text, in place: what a
 * terminal would take for a command.  Returns the text. */
char *utf8_plain(char *text);
/* The same with '?' for tabs and line ends, too: a name stays on one line. */
char *utf8_plain_line(char *text);
/* Checked text of spaces only: of any width, also none, and line breaks. */
int utf8_is_blank(const char *text);

#endif

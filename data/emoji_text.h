/* emoji_text.h -- small changes to an English phrase.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_TEXT_H
#define DALLE_CL_DATA_EMOJI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* As typed on a plain keyboard: straight apostrophes, no quotation marks or brackets, "and" for "&", no
 * accents on Latin letters.  `out` has room for twice the text. */
void emoji_text_plain(const char *text, char *out);
int emoji_text_words(const char *text);
/* Puts `word` where the format has %s; cut to `size`. */
void emoji_text_fill(const char *format, const char *word, char *out, size_t size);
/* Hyphens as blanks, and left out. */
void emoji_text_hyphens(const char *text, char *apart, char *together, size_t size);
bool emoji_text_is_ascii(const char *text);
/* Whether it begins with what somebody does: "running", "mountain biking". */
bool emoji_text_is_doing(const char *text);
/* Whether one of its words is a colour. */
bool emoji_text_has_colour(const char *text);
/* The plural of a phrase's last word; false where it would be doubtful. */
bool emoji_text_plural(const char *text, char *out, size_t size);
/* What tells phrases apart: letters and digits in lower case, one blank between words, no articles. */
void emoji_text_key(const char *text, char *out, size_t size);

#endif

/* debian_text.h -- what file names and metadata say, as captions.  All texts live in the arena.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DEBIAN_TEXT_H
#define DALLE_CL_DATA_DEBIAN_TEXT_H

#include "host/base/arena.h"
#include <stdbool.h>

#define DEBIAN_MAX_CAPTION 120 /* bytes; longer texts describe something else */

/* The words of "a/GreenMeadow_02.jpg": "green meadow".  Numbers, "_by_" with what follows, and at the end
 * words that are the beginning of the author's (NULL: unknown) go.  "" if nothing is left, NULL when memory
 * is out. */
char *debian_text_name(arena *memory, const char *file, const char *author);
/* A title or sentence without line breaks, double spaces, underscores, a number at its end, or the full
 * stop of a single sentence.  "" for what cannot be a caption: not UTF-8, without a letter, too long, with an
 * address or an entity in it. */
char *debian_text_title(arena *memory, const char *text);
/* What tells variants of one drawing from another drawing: the folder and the first word of a file's name, or
 * all of it but for the number at its end. */
char *debian_text_first_word(arena *memory, const char *file);
char *debian_text_without_number(arena *memory, const char *file);

#endif

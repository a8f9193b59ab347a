/* language.h -- which language a caption is in.
 * Guessed by CLD2 from four letters at a time; a caption of a word or two, or of names, is often too short to
 * tell, and then nothing is claimed.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_LANGUAGE_H
#define DALLE_CL_DATA_LANGUAGE_H

#include <stdbool.h>

#define LANGUAGE_UNKNOWN "un"

typedef struct language_guess {
    const char *code; /* ISO 639-1 where there is one: "en", "zh"; LANGUAGE_UNKNOWN; static */
    bool reliable;    /* clearly more likely than any other */
} language_guess;

/* `text` is UTF-8. */
language_guess language_of(const char *text);
/* The code of a language by its code or English name ("de", "german"); NULL: there is none of that name. */
const char *language_find(const char *name);
/* Whether a caption is surely not in the language `code`: another one is reliably recognised, or it has
 * letters, none of them Latin, and the language is written in Latin ones. */
bool language_is_other(const char *text, const char *code);

#endif

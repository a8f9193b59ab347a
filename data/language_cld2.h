/* language_cld2.h -- the library CLD2 behind a C door; data/language.h is for everyone else.
 * Names: cld2_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_LANGUAGE_CLD2_H
#define DALLE_CL_DATA_LANGUAGE_CLD2_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The code ("en", "zh-Hant") of the language that most of `size` bytes of UTF-8 are in, static; "un" where
 * the library cannot tell.  *reliable: clearly more likely than the next. */
const char *cld2_detect(const char *text, size_t size, bool *reliable);
/* The code of a language named so or by its code, static; NULL: the library knows none. */
const char *cld2_find(const char *name);
/* Whether the language is written in Latin letters. */
bool cld2_is_latin(const char *code);

#ifdef __cplusplus
}
#endif

#endif

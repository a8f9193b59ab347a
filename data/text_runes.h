/* text_runes.h -- text as an array of code points, while it is cleaned for CLIP's tokenizer (text_clean.h).
 * The first failure stays in `failed` and makes every later call do nothing, so that a chain of steps is
 * checked once, at its end.  ICU knows the characters.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_TEXT_RUNES_H
#define DALLE_CL_DATA_TEXT_RUNES_H

#include <stdbool.h>
#include <stdint.h>

#define TEXT_RUNES_NO_MEMORY "out of memory"

typedef struct text_runes {
    uint32_t *at;
    int64_t count, room;
    const char *failed; /* why, or NULL; TEXT_RUNES_NO_MEMORY, or the name that ICU gives its failure */
} text_runes;

void text_runes_free(text_runes *t);
void text_runes_put(text_runes *t, uint32_t c);
void text_runes_append(text_runes *t, const uint32_t *runes, int64_t count);
void text_runes_read(text_runes *t, const char *utf8);                       /* appends checked UTF-8 */
void text_runes_read_bytes(text_runes *t, const char *bytes, int64_t count); /* U+FFFD for what is no UTF-8 */
char *text_runes_utf8(const text_runes *t);             /* to be freed; NULL when memory is out */
void text_runes_take(text_runes *to, text_runes *from); /* to = from, from = empty */
bool text_runes_same(const text_runes *a, const text_runes *b);

void text_runes_compose(text_runes *t);               /* normalization form C */
void text_runes_lower(text_runes *t);                 /* as Python's str.lower: full mappings, final sigma */
void text_runes_put_upper(text_runes *t, uint32_t c); /* appends the capital: one to three characters */
void text_runes_put_compatible(text_runes *t, uint32_t c); /* appends its normalization form KC */

bool text_runes_is_letter(uint32_t c); /* general category L* */
bool text_runes_is_number(uint32_t c); /* N* */
bool text_runes_is_digit(uint32_t c);  /* Nd */
bool text_runes_is_space(uint32_t c);  /* as Python's str.isspace */

#endif

/* language.c -- see language.h.
 * SPDX-License-Identifier: MIT */
#include "data/language.h"
#include "data/language_cld2.h"
#include "host/base/utf8.h"
#include <ctype.h>
#include <stdint.h>
#include <string.h>

language_guess language_of(const char *text)
{
    language_guess guess = { .reliable = false };
    guess.code = cld2_detect(text, strlen(text), &guess.reliable);
    return guess;
}

const char *language_find(const char *name)
{
    char capital[32];
    size_t i = 0;
    for (; name[i] && i + 1 < sizeof capital; ++i) capital[i] = (char)toupper((unsigned char)name[i]);
    capital[i] = 0;
    const char *code = cld2_find(name);
    return code ? code : cld2_find(capital); /* codes are written small, names in capitals */
}

/* Letters up to U+024F, and those with two accents (Vietnamese). */
static bool is_latin(uint32_t letter)
{
    return letter <= 0x24f || (letter >= 0x1e00 && letter <= 0x1eff);
}

/* Chinese captions, for one, are short in letters, and CLD2 asks for many. */
static bool has_only_other_letters(const char *text)
{
    bool any = false;
    for (const char *at = text; *at;) {
        uint32_t character = utf8_next(&at);
        if (!utf8_is_letter(character)) continue;
        if (is_latin(character)) return false;
        any = true;
    }
    return any;
}

bool language_is_other(const char *text, const char *code)
{
    language_guess guess = language_of(text);
    if (guess.reliable && strcmp(guess.code, LANGUAGE_UNKNOWN) != 0) return strcmp(guess.code, code) != 0;
    return cld2_is_latin(code) && has_only_other_letters(text);
}

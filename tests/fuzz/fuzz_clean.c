/* fuzz_clean.c -- captions that CLIP's tokenizer cleans.
 * SPDX-License-Identifier: MIT */
#include "data/text_clean.h"
#include "host/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define MOST 2048 /* bytes: what is cleaned again and again takes its time */

static void check(const text_runes *t)
{
    fuzz_must(!t->failed, "every text can be cleaned");
    for (int64_t i = 0; i < t->count; ++i) {
        uint32_t c = t->at[i], next = i + 1 < t->count ? t->at[i + 1] : ' ';
        fuzz_must(c > 0 && c < 0x110000 && !(c >= 0xd800 && c < 0xe000), "characters are characters");
        fuzz_must(!(c >= 'A' && c <= 'Z'), "capitals are small");
        fuzz_must(!text_runes_is_space(c) || (c == ' ' && i > 0 && next != ' '),
                  "spaces are single, and inside");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size < MOST ? size : MOST);
    if (utf8_check(text) < 0) {
        text_runes t = text_clean(text);
        check(&t);
        text_runes_free(&t);
    }
    free(text);
    return 0;
}

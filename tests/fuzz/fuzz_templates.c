/* fuzz_templates.c -- templates for captions, and captions drawn with them.
 * SPDX-License-Identifier: MIT */
#include "data/caption.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void draw(const caption_templates *t, const char *caption)
{
    const char *others[] = { caption, "two  cats: a, b", "" }, *keywords[] = { "red", caption };
    const caption_source source = { caption, others, 3, keywords, 2 };
    static const caption_odds odds[] = { { 0, 0, 1, 0, 0 }, { 0, 0, 0, 1, 0 },     { 0, 0, 0, 0, 0.5 },
                                         { 0, 1, 0, 0, 0 }, { 0.5, 1, 1, 1, 0.9 }, { 1, 0, 0, 0, 1 } };
    for (uint32_t i = 0; i < sizeof odds / sizeof *odds; ++i) {
        char *drawn = caption_draw(&source, &odds[i], t, 7, i, 0);
        fuzz_must(drawn != NULL, "a caption can be drawn");
        free(drawn);
    }
}

/* The first line is a caption, the rest are templates. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = 0;
    const uint8_t *first = fuzz_part(&data, &size, '\n', &length);
    char *caption = fuzz_text(first, length);
    error err = { 0 };
    caption_templates *t = caption_templates_open(fuzz_file(data, size), &err);
    if (!t) fuzz_refused(&err);
    for (int i = 0; t && i < caption_templates_count(t); ++i) {
        char *filled = caption_templates_fill(t, i, caption);
        fuzz_must(filled && strlen(filled) >= strlen(caption), "a template holds its caption");
        free(filled);
    }
    draw(t, caption);
    caption_templates_close(t);
    free(caption);
    return 0;
}

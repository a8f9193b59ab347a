/* fuzz_words.c -- a model's list of words, and captions that are compared with it.
 * SPDX-License-Identifier: MIT */
#include "data/words.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* The input as one caption, which may be no UTF-8: its words are all in the list made of it. */
static void collect(const char *text)
{
    error err = { 0 };
    char **unseen = NULL;
    words *w = words_collect(&text, 1, &err);
    if (!w) {
        fuzz_refused(&err);
        return;
    }
    fuzz_must(words_unseen(w, text, &unseen, &err) == 0, "a caption's own words are known");
    free(unseen);
    words_destroy(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error err = { 0 };
    char *text = fuzz_text(data, size), **unseen = NULL;
    words *w = words_open(fuzz_file(data, size), &err);
    if (!w) fuzz_refused(&err);
    if (w && words_unseen(w, "A small Übung, 猫 and Ⴀ\xc4\xb0", &unseen, &err) < 0) fuzz_refused(&err);
    char *form = w ? words_format(w) : NULL;
    words *again = form ? words_parse(form, "again", &err) : NULL;
    fuzz_must(!w || (again && words_count(again) == words_count(w)), "a list is read as it is written");
    words_destroy(again);
    words_destroy(w);
    free(form);
    free(unseen);
    collect(text);
    free(text);
    return 0;
}

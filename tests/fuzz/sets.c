/* sets.c -- see sets.h.
 * SPDX-License-Identifier: MIT */
#include "tests/fuzz/sets.h"
#include "data/dataset.h"
#include "host/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { PICTURES = 3 }; /* decoding has a target of its own */

static void check_sample(const dataset_sample *s)
{
    fuzz_must(s->key && s->caption && s->split && s->group, "a sample's texts are there");
    fuzz_must(s->repeat >= 1 && s->repeat <= DATASET_MAX_REPEAT, "a sample comes as often as is allowed");
    for (int i = 0; i < s->caption_count; ++i)
        fuzz_must(*s->captions[i] && strlen(s->captions[i]) <= DATASET_MAX_CAPTION &&
                      utf8_check(s->captions[i]) < 0,
                  "a caption is as the header says");
    for (int i = 0; i < s->keyword_count; ++i)
        fuzz_must(utf8_check(s->keywords[i]) < 0, "a keyword is UTF-8");
}

static void read_pictures(const dataset *d)
{
    for (int64_t i = 0; i < dataset_count(d) && i < PICTURES; ++i) {
        error err = { 0 };
        image picture;
        if (!dataset_read_picture(d, i, &picture, &err)) fuzz_refused(&err);
        image_free(&picture);
    }
}

static void read_captions(const dataset *d)
{
    error err = { 0 };
    dataset_selection all = { 0 };
    char **texts = NULL;
    int64_t count = 0;
    if (!dataset_select(d, NULL, 0, 1, false, &all, &err)) fuzz_refused(&err);
    if (!dataset_captions(d, &all, true, &texts, &count, &err)) fuzz_refused(&err);
    free(texts);
    dataset_selection_free(&all);
}

void sets_read(const char *path)
{
    error err = { 0 };
    dataset *d = dataset_open(&path, 1, false, &err);
    if (!d) {
        fuzz_refused(&err);
        return;
    }
    char hash[65];
    for (int64_t i = 0; i < dataset_count(d); ++i) check_sample(dataset_at(d, i));
    for (int64_t i = 0; i < dataset_left_out(d); ++i)
        fuzz_must(*dataset_left_out_at(d, i), "what is left out has a name");
    dataset_hash(d, hash);
    read_captions(d);
    read_pictures(d);
    dataset_close(d);
}

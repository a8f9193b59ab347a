/* fuzz_labels.c -- files and lists of labels, and the label that a picture has by its place.
 * SPDX-License-Identifier: MIT */
#include "app/cli/labels.h"
#include "host/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each label is a text of its own, is found as itself, and by no other's number. */
static void look_up(const labels *l)
{
    error err = { 0 };
    fuzz_must(labels_count(l) >= 2, "there are two labels at least");
    for (int i = 0; i < labels_count(l); ++i) {
        const char *label = labels_list(l)[i];
        int found;
        fuzz_must(utf8_check(label) < 0 && !utf8_is_blank(label), "a label is a text");
        fuzz_must(labels_find(l, label, &found, &err) && found == i, "a label is found as itself");
    }
}

/* A picture in the folder `place`, of a set that was given by it, and with it as a caption. */
static void place(const labels *l, char *place)
{
    char *path = malloc(strlen(place) + 8);
    const char *captions[] = { place };
    error err = { 0 };
    if (!path) return;
    sprintf(path, "%s/1.png", place);
    for (int i = 0; i < 4; ++i) {
        collection_item item = { .source = i == 1 ? place : "", .sample = { .key = i ? "1.png" : path } };
        int label, same;
        if (i == 2) item.sample.captions = captions, item.sample.caption_count = 1;
        fuzz_must(labels_of(l, &item, &label, &err), "a picture's place can be looked at");
        fuzz_must(label >= -1 && label < labels_count(l), "a label that is there, or none");
        if (i < 3 && !strchr(place, '/') && strlen(place) < 1024)
            fuzz_must(labels_find(l, place, &same, &err) && same == label, "a folder is what its name is");
        if (i == 3) fuzz_must(label == -1 || labels_find(l, "", &same, &err), "nothing has no label");
    }
    free(path);
}

static void use(const char *given, char *at)
{
    error err = { 0 };
    labels *l = labels_open(given, &err);
    if (l) {
        look_up(l);
        place(l, at);
    } else {
        fuzz_refused(&err);
    }
    labels_close(l);
}

/* The first line is a place, the rest a file of labels, and the list that is given in its stead. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = 0;
    const uint8_t *first = fuzz_part(&data, &size, '\n', &length);
    char *at = fuzz_text(first, length), *list = fuzz_text(data, size);
    use(fuzz_file(data, size), at);
    if (*list != '/' && *list != '.') use(list, at); /* no file of this machine */
    free(at);
    free(list);
    return 0;
}

/* dataset_texts.c -- the texts of a selection, for training a tokenizer.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_inside.h"
#include "data/dataset_order.h"
#include "host/base/log.h"
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES ((size_t)48 << 20) /* of a large set's texts */

/* Texts one behind another, which move while there come more. */
typedef struct bag {
    char *bytes;
    size_t used, room;
    int64_t count;
} bag;

static bool put(bag *b, const char *text, bool ends, error *err)
{
    size_t more = strlen(text) + 1;
    if (b->room - b->used < more) {
        size_t room = 2 * b->room + more + 4096;
        char *larger = realloc(b->bytes, room);
        if (!larger) return error_set(err, ERROR_MEMORY, "no memory for %lld captions", (long long)b->count);
        b->bytes = larger;
        b->room = room;
    }
    memcpy(b->bytes + b->used, text, more);
    b->used += ends ? more : more - 1;
    b->count += ends;
    return true;
}

static bool put_sample(bag *b, const dataset_sample *s, bool with_keywords, error *err)
{
    for (int c = 0; c < s->caption_count; ++c)
        if (!put(b, s->captions[c], true, err)) return false;
    for (int w = 0; with_keywords && w < s->keyword_count; ++w) {
        bool last = w + 1 == s->keyword_count;
        if (!put(b, s->keywords[w], last, err) || (!last && !put(b, ", ", false, err))) return false;
    }
    return true;
}

static bool put_place(bag *b, const dataset *d, const dataset_selection *selection, int64_t place,
                      bool with_keywords, error *err)
{
    dataset_sample s;
    if (!dataset_read(d, dataset_selected(selection, place), &s, err)) return false;
    bool done = put_sample(b, &s, with_keywords, err);
    dataset_sample_free(&s);
    return done;
}

static int by_number(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Some places of a large selection, in the order of the files. */
static int64_t *choose(const dataset *d, const dataset_selection *selection, error *err)
{
    order *o = dataset_order(d, selection, selection->seed + 1, 1, err);
    int64_t *places = o ? malloc(DATASET_TEXTS * sizeof *places) : NULL;
    if (o && !places) error_set(err, ERROR_MEMORY, "no memory for %d captions", DATASET_TEXTS);
    for (int64_t i = 0; places && i < DATASET_TEXTS; ++i) places[i] = order_at(o, 0, i).place;
    if (places) qsort(places, DATASET_TEXTS, sizeof *places, by_number);
    order_destroy(o);
    return places;
}

static bool put_all(bag *b, const dataset *d, const dataset_selection *selection, bool with_keywords,
                    error *err)
{
    bool large = dataset_is_large(d), few = large && selection->count > DATASET_TEXTS;
    int64_t *places = few ? choose(d, selection, err) : NULL, count = few ? DATASET_TEXTS : selection->count;
    bool done = !few || places;
    for (int64_t i = 0, before = -1; done && i < count && !(large && b->used > MOST_BYTES); ++i) {
        int64_t place = places ? places[i] : i, sample = dataset_selected(selection, place);
        if (sample != before) done = put_place(b, d, selection, place, with_keywords, err);
        before = sample;
    }
    if (done && few)
        log_info("of %lld samples the texts of %lld are looked at, chosen by the seed",
                 (long long)selection->count, (long long)count);
    free(places);
    return done;
}

bool dataset_captions(const dataset *d, const dataset_selection *selection, bool with_keywords, char ***texts,
                      int64_t *count, error *err)
{
    bag b = { 0 };
    *texts = NULL;
    if (!put_all(&b, d, selection, with_keywords, err)) return free(b.bytes), false;
    size_t places = (size_t)(b.count + 1) * sizeof **texts;
    char *block = realloc(b.bytes, places + b.used);
    if (!block) {
        free(b.bytes);
        return error_set(err, ERROR_MEMORY, "no memory for %lld captions", (long long)b.count);
    }
    memmove(block + places, block, b.used);
    *texts = (char **)(void *)block;
    *count = b.count;
    char *at = block + places;
    for (int64_t i = 0; i < b.count; ++i, at += strlen(at) + 1) (*texts)[i] = at;
    (*texts)[b.count] = NULL;
    return true;
}

/* known_collect.c -- a data set's captions and pictures become known captions; see known.h.
 * SPDX-License-Identifier: MIT */
#include "models/prior/known.h"

#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 32 };

typedef struct collector {
    known_captions *to;
    training_data *data;
    const model_part *judge;
    int64_t side;
    uint8_t *pixels; /* [AT_ONCE][side][side][3] */
} collector;

/* Picture and first caption of the set's sample `index`, to place `at` of the list, one of those at once. */
static bool take(collector *c, int64_t index, int64_t at, error *err)
{
    dataset_sample known;
    bool good;
    uint8_t *pixels = c->pixels + at % AT_ONCE * c->side * c->side * 3;
    if (!training_data_picture(c->data, index, pixels, &good, err) ||
        !dataset_read(training_data_set(c->data), index, &known, err))
        return false;
    c->to->texts[at] = strdup(known.caption);
    dataset_sample_free(&known);
    return c->to->texts[at] || error_set(err, ERROR_MEMORY, "out of memory for a known caption");
}

/* The pictures of places first .. first + count - 1. */
static bool embed(collector *c, int64_t first, int64_t count, error *err)
{
    int64_t size;
    float *rows = c->judge->kind->embed(c->judge, c->pixels, count, c->side, &size, err);
    if (rows) memcpy(c->to->embeddings + first * size, rows, (size_t)(count * size) * sizeof *rows);
    free(rows);
    return rows != NULL;
}

/* Only an embedding tells how many numbers one has. */
static bool make_room(collector *c, int64_t count, error *err)
{
    int64_t size;
    c->pixels = calloc((size_t)AT_ONCE, (size_t)(c->side * c->side * 3));
    if (!c->pixels) return error_set(err, ERROR_MEMORY, "out of memory for pictures");
    float *one = c->judge->kind->embed(c->judge, c->pixels, 1, c->side, &size, err);
    free(one);
    return one && known_captions_make(c->to, count, size, err);
}

/* The samples of a selection, each once, to be freed; sets may repeat some. */
static int64_t *each_once(const dataset_selection *s, int64_t samples, int64_t *count, error *err)
{
    int64_t *which = malloc(((size_t)s->count + 1) * sizeof *which);
    bool *seen = calloc((size_t)samples + 1, sizeof *seen);
    *count = 0;
    if (!which || !seen) error_set(err, ERROR_MEMORY, "out of memory for %lld samples", (long long)s->count);
    for (int64_t i = 0; which && seen && i < s->count; ++i) {
        int64_t index = dataset_selected(s, i);
        if (!seen[index]) which[(*count)++] = index;
        seen[index] = true;
    }
    if (!seen) {
        free(which);
        which = NULL;
    }
    free(seen);
    return which;
}

bool known_captions_collect(known_captions *k, training_data *data, const model_part *judge, error *err)
{
    const dataset_selection *learnt = training_data_selection(data, false);
    collector c = { k, data, judge, training_data_size(data), NULL };
    int64_t all, *which = each_once(learnt, dataset_count(training_data_set(data)), &all, err);
    int64_t count = all < KNOWN_MOST ? all : KNOWN_MOST;
    *k = (known_captions){ 0 };
    bool ok = which && make_room(&c, count, err);
    for (int64_t first = 0; ok && first < count; first += AT_ONCE) {
        int64_t now = count - first < AT_ONCE ? count - first : AT_ONCE;
        for (int64_t i = first; ok && i < first + now; ++i) ok = take(&c, which[i * all / count], i, err);
        ok = ok && embed(&c, first, now, err);
    }
    free(c.pixels);
    free(which);
    if (!ok) known_captions_free(k);
    return ok;
}

/* dataset_select.c -- parts of a data set, their order, and their texts.
 * SPDX-License-Identifier: MIT */
#include "data/dataset.h"
#include "host/base/philox.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void shuffle(int64_t count, const philox *random, int64_t *order)
{
    for (int64_t i = 0; i < count; ++i) order[i] = i;
    for (int64_t i = count - 1; i > 0; --i) {
        int64_t other = (int64_t)philox_below(random, (uint32_t)i, (uint32_t)(i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

void dataset_shuffle(int64_t count, uint64_t seed, uint32_t epoch, int64_t *order)
{
    CHECK(count < UINT32_MAX, "%lld samples", (long long)count);
    philox random = { seed, epoch, philox_stream("data.order") };
    shuffle(count, &random, order);
}

/* The first few splits there are, for a message. */
static void name_splits(const dataset *d, char *text, size_t size)
{
    const char *seen[8];
    int count = 0;
    size_t length = 0;
    text[0] = 0;
    for (int64_t i = 0; i < dataset_count(d) && count < 8; ++i) {
        const char *split = dataset_at(d, i)->split;
        int known = 0;
        while (known < count && strcmp(seen[known], split) != 0) ++known;
        if (!*split || known < count) continue;
        seen[count++] = split;
        int made = snprintf(text + length, size - length, "%s'%s'", length ? ", " : "", split);
        length = length + (size_t)made < size ? length + (size_t)made : size - 1;
    }
    if (count == 0) snprintf(text, size, "none");
}

/* Keeps the held-out samples, or the others, in their order. */
static bool hold_out(dataset_selection *s, double fraction, uint64_t seed, bool want_heldout, error *err)
{
    int64_t held = (int64_t)llround(fraction * (double)s->count), kept = 0;
    if (fraction > 0 && held == 0) held = 1;
    int64_t *order = malloc((size_t)s->count * sizeof *order);
    bool *out = calloc((size_t)s->count, sizeof *out);
    bool done = order && out;
    if (done) {
        philox random = { seed, 0, philox_stream("data.holdout") };
        shuffle(s->count, &random, order);
        for (int64_t i = 0; i < held; ++i) out[order[i]] = true;
        for (int64_t i = 0; i < s->count; ++i)
            if (out[i] == want_heldout) s->index[kept++] = s->index[i];
        s->count = kept;
    } else {
        error_set(err, ERROR_MEMORY, "no memory to hold out samples");
    }
    free(order);
    free(out);
    return done;
}

bool dataset_select(const dataset *d, const char *split, double holdout, uint64_t seed, bool want_heldout,
                    dataset_selection *out, error *err)
{
    *out = (dataset_selection){ 0 };
    int64_t count = dataset_count(d);
    if (!(holdout >= 0 && holdout < 1))
        return error_set(err, ERROR_USAGE, "the held-out fraction is %g; it must be 0 up to, not with, 1",
                         holdout);
    if (count >= UINT32_MAX)
        return error_set(err, ERROR_FORMAT, "%lld samples are too many", (long long)count);
    out->index = malloc((size_t)(count + 1) * sizeof *out->index);
    if (!out->index)
        return error_set(err, ERROR_MEMORY, "no memory to select from %lld samples", (long long)count);
    for (int64_t i = 0; i < count; ++i)
        if (!split || !*split || strcmp(dataset_at(d, i)->split, split) == 0) out->index[out->count++] = i;
    char names[256];
    if (out->count == 0) {
        name_splits(d, names, sizeof names);
        error_set(err, ERROR_USAGE, "no sample has split '%s'; the data set's splits: %s", split, names);
    } else if ((holdout > 0 || want_heldout) && !hold_out(out, holdout, seed, want_heldout, err)) {
        out->count = 0;
    } else if (out->count == 0) {
        error_set(err, ERROR_USAGE, "holding out %g of %lld samples leaves none to use", holdout,
                  (long long)count);
    }
    if (out->count > 0) return true;
    dataset_selection_free(out);
    return false;
}

void dataset_selection_free(dataset_selection *selection)
{
    free(selection->index);
    *selection = (dataset_selection){ 0 };
}

static char *put(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length);
    return at + length;
}

bool dataset_captions(const dataset *d, const dataset_selection *selection, bool with_keywords, char ***texts,
                      int64_t *count, error *err)
{
    size_t bytes = 0;
    int64_t total = 0;
    for (int64_t i = 0; i < selection->count; ++i) {
        const dataset_sample *s = dataset_at(d, selection->index[i]);
        int words = with_keywords ? s->keyword_count : 0;
        bytes += strlen(s->caption) + 1;
        for (int w = 0; w < words; ++w) bytes += strlen(s->keywords[w]) + 2;
        total += (*s->caption != 0) + (words > 0);
        bytes += 1;
    }
    *texts = malloc((size_t)(total + 1) * sizeof **texts + bytes);
    if (!*texts) return error_set(err, ERROR_MEMORY, "no memory for %lld captions", (long long)total);
    char *at = (char *)(*texts + total + 1);
    *count = 0;
    for (int64_t i = 0; i < selection->count; ++i) {
        const dataset_sample *s = dataset_at(d, selection->index[i]);
        int words = with_keywords ? s->keyword_count : 0;
        if (*s->caption) {
            (*texts)[(*count)++] = at;
            at = put(at, s->caption) + 1;
            at[-1] = 0;
        }
        if (words > 0) (*texts)[(*count)++] = at;
        for (int w = 0; w < words; ++w) at = put(put(at, w ? ", " : ""), s->keywords[w]);
        if (words > 0) *at++ = 0;
    }
    (*texts)[total] = NULL;
    return true;
}

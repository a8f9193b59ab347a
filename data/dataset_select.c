/* dataset_select.c -- parts of a data set and their order.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_inside.h"
#include "host/base/log.h"
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

static bool has_splits(const dataset *d)
{
    for (int64_t i = 0; i < dataset_count(d); ++i)
        if (*dataset_at(d, i)->split) return true;
    return false;
}

void dataset_name_splits(const dataset *d, char *text, size_t size)
{
    const char *seen[8];
    int count = 0;
    size_t length = 0;
    text[0] = 0;
    if (dataset_is_large(d)) {
        dataset_name_splits_large(d, text, size);
        return;
    }
    for (int64_t i = 0; i < dataset_count(d) && count < 8; ++i) {
        const char *split = dataset_at(d, i)->split;
        int known = 0;
        while (known < count && strcmp(seen[known], split) != 0) ++known;
        if (!*split || known < count) continue;
        seen[count++] = split;
        int made = snprintf(text + length, size - length, "%s'%s'", length ? ", " : "", split);
        length = length + (size_t)made < size ? length + (size_t)made : size - 1;
    }
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

/* Puts each sample in as often as it asks for, repeats side by side. */
static bool repeat_samples(const dataset *d, dataset_selection *s, error *err)
{
    int64_t total = 0, at = 0;
    for (int64_t i = 0; i < s->count; ++i) total += dataset_at(d, s->index[i])->repeat;
    if (total == s->count) return true;
    if (total >= UINT32_MAX)
        return error_set(err, ERROR_FORMAT, "%lld samples, counting repeats, are too many", (long long)total);
    int64_t *index = malloc((size_t)total * sizeof *index);
    if (!index) return error_set(err, ERROR_MEMORY, "no memory to select %lld samples", (long long)total);
    for (int64_t i = 0; i < s->count; ++i)
        for (int k = dataset_at(d, s->index[i])->repeat; k > 0; --k) index[at++] = s->index[i];
    free(s->index);
    s->index = index;
    s->count = total;
    return true;
}

bool dataset_no_split(const char *split, const char *names, error *err)
{
    return error_set(err, ERROR_USAGE, "no sample has split '%s'; the data set's splits: %s", split, names);
}

bool dataset_none_left(double holdout, int64_t count, error *err)
{
    return error_set(err, ERROR_USAGE, "holding out %g of %lld samples leaves none to use", holdout,
                     (long long)count);
}

bool dataset_select(const dataset *d, const char *split, double holdout, uint64_t seed, bool want_heldout,
                    dataset_selection *out, error *err)
{
    *out = (dataset_selection){ .seed = seed };
    int64_t count = dataset_count(d);
    if (!(holdout >= 0 && holdout < 1))
        return error_set(err, ERROR_USAGE, "the held-out fraction is %g; it must be 0 up to, not with, 1",
                         holdout);
    if (dataset_is_large(d)) return dataset_select_large(d, split, holdout, want_heldout, out, err);
    if (count >= UINT32_MAX)
        return error_set(err, ERROR_FORMAT, "%lld samples are too many", (long long)count);
    out->index = malloc((size_t)(count + 1) * sizeof *out->index);
    if (!out->index)
        return error_set(err, ERROR_MEMORY, "no memory to select from %lld samples", (long long)count);
    bool whole = !split || !*split || !has_splits(d);
    for (int64_t i = 0; i < count; ++i)
        if (whole || strcmp(dataset_at(d, i)->split, split) == 0) out->index[out->count++] = i;
    if (whole && split && *split && !want_heldout)
        log_info("the data set names no splits, so '%s' is all of it: %lld pictures", split,
                 (long long)count);
    char names[256];
    if (out->count == 0) {
        dataset_name_splits(d, names, sizeof names);
        dataset_no_split(split, names, err);
    } else if ((holdout > 0 || want_heldout) && !hold_out(out, holdout, seed, want_heldout, err)) {
        out->count = 0;
    } else if (out->count == 0) {
        dataset_none_left(holdout, count, err);
    } else if (!want_heldout && !repeat_samples(d, out, err)) {
        out->count = 0;
    }
    if (out->count > 0) return true;
    dataset_selection_free(out);
    return false;
}

void dataset_selection_free(dataset_selection *selection)
{
    free(selection->index);
    picks_destroy(selection->picks);
    *selection = (dataset_selection){ 0 };
}

int64_t dataset_selected(const dataset_selection *s, int64_t place)
{
    return s->index ? s->index[place] : picks_at(s->picks, place);
}

int64_t dataset_keep_captioned(const dataset *d, dataset_selection *s, int64_t *first)
{
    int64_t kept = 0, all = s->count;
    *first = -1;
    for (int64_t i = 0; s->index && i < all; ++i) {
        bool captioned = *dataset_at(d, s->index[i])->caption != 0;
        if (!captioned && *first < 0) *first = s->index[i];
        if (captioned) s->index[kept++] = s->index[i];
    }
    for (int64_t i = 0; s->picks && i < d->count; ++i) {
        if (index_entries(d->index)[i].flags & INDEX_CAPTIONED || !picks_has(s->picks, i)) continue;
        if (*first < 0) *first = i;
        picks_put(s->picks, i, false);
    }
    s->count = s->picks ? picks_seal(s->picks) : kept;
    return all - s->count;
}

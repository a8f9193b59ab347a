/* dataset_select_large.c -- parts of a large set, by what its index says of each sample.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_inside.h"
#include "host/base/log.h"
#include <stdio.h>
#include <string.h>

void dataset_name_splits_large(const dataset *d, char *text, size_t size)
{
    size_t length = 0;
    text[0] = 0;
    for (int i = 1; i < index_split_count(d->index) && i <= 8 && length < size; ++i)
        length += (size_t)snprintf(text + length, size - length, "%s'%s'", i > 1 ? ", " : "",
                                   index_split(d->index, i));
}

/* The number of a split; -1 if no sample has it. */
static int find_split(const dataset *d, const char *split)
{
    for (int i = 0; i < index_split_count(d->index); ++i)
        if (strcmp(index_split(d->index, i), split) == 0) return i;
    return -1;
}

/* A number that key and seed give, evenly among all. */
static uint64_t chance(const index_entry *e, uint64_t seed)
{
    uint64_t h = e->key ^ (seed + 1) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

typedef struct choice {
    int split;      /* -1: any */
    uint64_t below; /* what is held out has less chance than that */
    bool holds, want_heldout;
    uint64_t seed;
} choice;

static bool is_in(const choice *c, const index_entry *e)
{
    return c->split < 0 || e->split == c->split;
}

static bool is_held(const choice *c, const index_entry *e)
{
    return c->holds && chance(e, c->seed) <= c->below;
}

/* Of a fraction that is not 0 at least one sample is held out: that of the least chance. */
static int64_t set_limit(const dataset *d, choice *c, double fraction)
{
    const index_entry *e = index_entries(d->index);
    uint64_t least = UINT64_MAX;
    int64_t count = 0;
    for (int64_t i = 0; i < d->count; ++i) {
        if (!is_in(c, &e[i])) continue;
        uint64_t h = chance(&e[i], c->seed);
        if (h < least) least = h;
        ++count;
    }
    c->below = (uint64_t)(fraction * 0x1p64);
    if (c->below < least) c->below = least;
    return count;
}

bool dataset_select_large(const dataset *d, const char *split, double holdout, bool want_heldout,
                          dataset_selection *out, error *err)
{
    const index_entry *e = index_entries(d->index);
    bool named = split && *split, splits = index_split_count(d->index) > 1;
    choice c = { named && splits ? find_split(d, split) : -1, 0, holdout > 0, want_heldout, out->seed };
    char names[256];
    dataset_name_splits_large(d, names, sizeof names);
    if (named && splits && c.split < 0) return dataset_no_split(split, names, err);
    if (named && !splits && !want_heldout)
        log_info("the data set names no splits, so '%s' is all of it: %lld pictures", split,
                 (long long)d->count);
    int64_t among = set_limit(d, &c, holdout);
    if (among == 0) return dataset_no_split(split, names, err);
    if (!(out->picks = picks_create(e, d->count, !want_heldout, err))) return false;
    for (int64_t i = 0; i < d->count; ++i)
        if (is_in(&c, &e[i]) && is_held(&c, &e[i]) == want_heldout) picks_put(out->picks, i, true);
    out->count = picks_seal(out->picks);
    if (out->count > 0 && out->count < UINT32_MAX) return true;
    bool none = out->count == 0;
    int64_t count = out->count;
    dataset_selection_free(out);
    return none ? dataset_none_left(holdout, among, err)
                : error_set(err, ERROR_FORMAT, "%lld samples, counting repeats, are too many",
                            (long long)count);
}

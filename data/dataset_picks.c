/* dataset_picks.c -- see dataset_picks.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_picks.h"
#include <stdlib.h>

enum { WORD = 64, GROUP = 512 }; /* samples of a word of bits, and between counts */

struct picks {
    const index_entry *entries;
    int64_t samples, groups;
    bool repeat; /* some come more than once */
    uint64_t *bits;
    int64_t *before; /* [groups + 1]: places before each group */
};

picks *picks_create(const index_entry *entries, int64_t samples, bool repeat, error *err)
{
    picks *p = calloc(1, sizeof *p);
    int64_t groups = (samples + GROUP - 1) / GROUP;
    if (p) {
        *p = (picks){ .entries = entries, .samples = samples, .groups = groups, .repeat = repeat };
        p->bits = calloc((size_t)(groups * (GROUP / WORD) + 1), sizeof *p->bits);
        p->before = calloc((size_t)groups + 1, sizeof *p->before);
    }
    if (p && p->bits && p->before) return p;
    picks_destroy(p);
    return error_null(err, ERROR_MEMORY, "no memory to select from %lld samples", (long long)samples);
}

void picks_destroy(picks *p)
{
    if (!p) return;
    free(p->bits);
    free(p->before);
    free(p);
}

void picks_put(picks *p, int64_t sample, bool in)
{
    uint64_t bit = (uint64_t)1 << sample % WORD;
    if (in)
        p->bits[sample / WORD] |= bit;
    else
        p->bits[sample / WORD] &= ~bit;
}

bool picks_has(const picks *p, int64_t sample)
{
    return p->bits[sample / WORD] >> sample % WORD & 1;
}

static int64_t times(const picks *p, int64_t sample)
{
    return p->repeat ? p->entries[sample].repeat : 1;
}

/* Places that the samples of `bits` have, of which the lowest is `first`. */
static int64_t places_of(const picks *p, uint64_t bits, int64_t first)
{
    if (!p->repeat) return __builtin_popcountll(bits);
    int64_t count = 0;
    for (; bits; bits &= bits - 1) count += times(p, first + __builtin_ctzll(bits));
    return count;
}

int64_t picks_seal(picks *p)
{
    for (int64_t g = 0; g < p->groups; ++g) {
        int64_t count = p->before[g];
        for (int64_t w = g * (GROUP / WORD); w < (g + 1) * (GROUP / WORD); ++w)
            count += places_of(p, p->bits[w], w * WORD);
        p->before[g + 1] = count;
    }
    bool any = false; /* repeated: else counting is quicker */
    for (int64_t i = 0; p->repeat && !any && i < p->samples; ++i) any = picks_has(p, i) && times(p, i) > 1;
    p->repeat = any;
    return p->before[p->groups];
}

int64_t picks_at(const picks *p, int64_t place)
{
    CHECK(place >= 0 && place < p->before[p->groups], "place %lld of %lld", (long long)place,
          (long long)p->before[p->groups]);
    int64_t low = 0, high = p->groups - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (p->before[middle] <= place)
            low = middle;
        else
            high = middle - 1;
    }
    int64_t left = place - p->before[low], word = low * (GROUP / WORD);
    for (int64_t here; (here = places_of(p, p->bits[word], word * WORD)) <= left; ++word) left -= here;
    uint64_t bits = p->bits[word];
    for (;; bits &= bits - 1) {
        int64_t sample = word * WORD + __builtin_ctzll(bits), count = times(p, sample);
        if (left < count) return sample;
        left -= count;
    }
}

int64_t picks_rank(const picks *p, int64_t sample)
{
    int64_t count = p->before[sample / GROUP], word = sample / GROUP * (GROUP / WORD);
    for (; word < sample / WORD; ++word) count += places_of(p, p->bits[word], word * WORD);
    uint64_t below = ((uint64_t)1 << sample % WORD) - 1;
    return count + (sample % GROUP ? places_of(p, p->bits[word] & below, word * WORD) : 0);
}

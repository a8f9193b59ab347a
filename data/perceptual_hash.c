/* perceptual_hash.c -- see perceptual_hash.h.
 * Search: two marks that differ in at most d of 64 bits differ in at most d / p of one of p pieces.  The
 * pieces are about as long as the number of marks has digits, so that a piece's value has few; each value is
 * looked up with every pattern of d / p bits changed (Norouzi et al. 2012, "Fast search in Hamming space").
 * SPDX-License-Identifier: MIT */
#include "data/perceptual_hash.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE  32
#define WAVES 8

/* ---- A picture's mark ---- */

static void take_colours(const image *small, uint8_t colour[12])
{
    int64_t sums[12] = { 0 };
    for (int y = 0; y < SIDE; ++y)
        for (int x = 0; x < SIDE; ++x)
            for (int c = 0; c < 3; ++c)
                sums[(y / (SIDE / 2) * 2 + x / (SIDE / 2)) * 3 + c] += small->pixels[(y * SIDE + x) * 3 + c];
    for (int i = 0; i < 12; ++i) colour[i] = (uint8_t)((sums[i] + SIDE * SIDE / 8) / (SIDE * SIDE / 4));
}

/* The coefficients (1..8, 1..8) of the transform of the brightness. */
static void transform(const image *small, double out[WAVES * WAVES])
{
    double rows[WAVES][SIDE] = { { 0 } }, wave[WAVES][SIDE];
    for (int u = 0; u < WAVES; ++u)
        for (int x = 0; x < SIDE; ++x) wave[u][x] = cos(M_PI * (u + 1) * (2 * x + 1) / (2.0 * SIDE));
    for (int y = 0; y < SIDE; ++y)
        for (int x = 0; x < SIDE; ++x) {
            const uint8_t *p = small->pixels + (y * SIDE + x) * 3;
            double bright = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
            for (int u = 0; u < WAVES; ++u) rows[u][y] += bright * wave[u][x];
        }
    for (int u = 0; u < WAVES; ++u)
        for (int v = 0; v < WAVES; ++v) {
            out[v * WAVES + u] = 0;
            for (int y = 0; y < SIDE; ++y) out[v * WAVES + u] += rows[u][y] * wave[v][y];
        }
}

static int by_size(const void *a, const void *b)
{
    double l = *(const double *)a, r = *(const double *)b;
    return (l > r) - (l < r);
}

bool perceptual_hash_of(const image *picture, perceptual_hash *out, error *err)
{
    enum { COUNT = WAVES * WAVES, FLAT = SIDE * SIDE / 4 }; /* a quarter of a level, everywhere */
    image small;
    double found[COUNT], sorted[COUNT], largest = 0;
    if (!image_resize_area(picture, SIDE, SIDE, false, &small, err)) return false;
    take_colours(&small, out->colour);
    transform(&small, found);
    image_free(&small);
    memcpy(sorted, found, sizeof found);
    qsort(sorted, COUNT, sizeof *sorted, by_size);
    double median = (sorted[COUNT / 2 - 1] + sorted[COUNT / 2]) / 2;
    out->bits = 0;
    for (int i = 0; i < COUNT; ++i) {
        if (fabs(found[i]) > largest) largest = fabs(found[i]);
        if (found[i] > median) out->bits |= 1ull << i;
    }
    if (largest < FLAT) out->bits = 0; /* of one colour: the rest is rounding */
    return true;
}

int perceptual_hash_distance(const perceptual_hash *a, const perceptual_hash *b)
{
    for (int i = 0; i < 12; ++i)
        if (abs(a->colour[i] - b->colour[i]) > PERCEPTUAL_HASH_COLOUR) return 65;
    return __builtin_popcountll(a->bits ^ b->bits);
}

/* ---- Groups ---- */

typedef struct entry {
    uint64_t piece;
    int64_t mark;
} entry;

typedef struct search {
    perceptual_hash *marks; /* each only once; `sample` is its number among all */
    int64_t count, *group;  /* of these; by number among all */
    entry *sorted;          /* of the piece that is looked at */
    int distance;
} search;

static int by_piece(const void *a, const void *b)
{
    const entry *l = a, *r = b;
    if (l->piece != r->piece) return l->piece > r->piece ? 1 : -1;
    return (l->mark > r->mark) - (l->mark < r->mark);
}

static int64_t root_of(int64_t *group, int64_t i)
{
    while (group[i] != i) i = group[i] = group[group[i]];
    return i;
}

static void join(int64_t *group, int64_t a, int64_t b)
{
    int64_t l = root_of(group, a), r = root_of(group, b);
    if (l != r) group[l > r ? l : r] = l > r ? r : l;
}

/* The first entry of that piece or a higher one. */
static int64_t lower(const search *s, uint64_t piece)
{
    int64_t low = 0, high = s->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (s->sorted[middle].piece < piece)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void compare(search *s, int64_t mark, uint64_t piece, int64_t from)
{
    for (int64_t i = from; i < s->count && s->sorted[i].piece == piece; ++i) {
        const perceptual_hash *a = &s->marks[mark], *b = &s->marks[s->sorted[i].mark];
        if (s->sorted[i].mark > mark && root_of(s->group, a->sample) != root_of(s->group, b->sample) &&
            perceptual_hash_distance(a, b) <= s->distance)
            join(s->group, a->sample, b->sample);
    }
}

/* Looks up `piece` with every choice of `changes` bits from `first` on changed. */
static void look(search *s, int64_t mark, uint64_t piece, int first, int bits, int changes)
{
    compare(s, mark, piece, lower(s, piece));
    if (changes == 0) return;
    for (int b = first; b < bits; ++b) look(s, mark, piece ^ 1ull << b, b + 1, bits, changes - 1);
}

static void search_piece(search *s, int first, int bits, int changes)
{
    uint64_t mask = bits == 64 ? UINT64_MAX : (1ull << bits) - 1;
    for (int64_t i = 0; i < s->count; ++i) s->sorted[i] = (entry){ s->marks[i].bits >> first & mask, i };
    qsort(s->sorted, (size_t)s->count, sizeof *s->sorted, by_piece);
    for (int64_t i = 0; i < s->count; ++i) look(s, s->sorted[i].mark, s->sorted[i].piece, 0, bits, changes);
}

static int by_mark(const void *a, const void *b)
{
    const perceptual_hash *l = a, *r = b;
    if (l->bits != r->bits) return l->bits > r->bits ? 1 : -1;
    int order = memcmp(l->colour, r->colour, sizeof l->colour);
    return order ? order : (l->sample > r->sample) - (l->sample < r->sample);
}

static bool is_same(const perceptual_hash *a, const perceptual_hash *b)
{
    return a->bits == b->bits && memcmp(a->colour, b->colour, sizeof a->colour) == 0;
}

/* Equal marks, of which there may be many, are one group at once; the search sees one of them. */
static void merge_equal(search *s, const perceptual_hash *marks, int64_t count)
{
    for (int64_t i = 0; i < count; ++i) {
        s->marks[i] = marks[i];
        s->marks[i].sample = i;
    }
    if (count) qsort(s->marks, (size_t)count, sizeof *s->marks, by_mark);
    for (int64_t i = 0; i < count; ++i) {
        bool again = s->count && is_same(&s->marks[i], &s->marks[s->count - 1]);
        s->group[s->marks[i].sample] = again ? s->marks[s->count - 1].sample : s->marks[i].sample;
        if (!again) s->marks[s->count++] = s->marks[i];
    }
}

static int count_digits(int64_t count)
{
    int digits = 1;
    while (digits < 40 && count >> digits) ++digits;
    return digits;
}

static void search_all(search *s)
{
    int pieces = 64 / count_digits(s->count);
    if (pieces > s->distance + 1) pieces = s->distance + 1;
    for (int p = 0; p < pieces; ++p) {
        int first = 64 * p / pieces;
        search_piece(s, first, 64 * (p + 1) / pieces - first, s->distance / pieces);
    }
}

bool perceptual_hash_group(const perceptual_hash *marks, int64_t count, int distance, int64_t *group,
                           error *err)
{
    search s = { malloc((size_t)(count + 1) * sizeof(perceptual_hash)), 0, group,
                 malloc((size_t)(count + 1) * sizeof(entry)), distance };
    bool ok = s.marks && s.sorted;
    if (ok) merge_equal(&s, marks, count);
    if (ok) search_all(&s);
    for (int64_t i = 0; ok && i < count; ++i) group[i] = root_of(group, i);
    free(s.marks);
    free(s.sorted);
    return ok || error_set(err, ERROR_MEMORY, "out of memory for comparing %lld pictures", (long long)count);
}

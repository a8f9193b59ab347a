/* order_window.c -- see order_window.h.
 * An epoch is a sequence: shards in a random order, each few of them merged in proportion to their sizes, so
 * that they begin and end together.  It is cut into windows of equal length, each shuffled by itself.
 * SPDX-License-Identifier: MIT */
#include "data/order_window.h"
#include "host/base/philox.h"
#include <stdlib.h>
#include <string.h>

struct order_window {
    int64_t shards, first; /* those that hold something; the place where they begin */
    int64_t *starts;       /* [shards + 1] */
    int64_t *which;        /* [shards]: in this epoch's order */
    int64_t *begins;       /* [shards + 1]: where each begins in it */
    uint64_t seed;
    int interleave, window;
    int64_t epoch, filled; /* which window of it is in `places`; -1: none */
    int64_t *places;
    int64_t *next, *sizes; /* [interleave]: of the shards that are being merged */
};

order_window *order_window_create(const order_window_config *c, error *err)
{
    CHECK(c->interleave >= 1 && c->window >= 1 && c->window <= ORDER_WINDOW_MOST && c->shards >= 1,
          "%d shards interleaved, a window of %d", c->interleave, c->window);
    order_window *o = calloc(1, sizeof *o);
    if (!o) return error_null(err, ERROR_MEMORY, "no memory for the order of samples");
    size_t shards = (size_t)c->shards, few = (size_t)c->interleave;
    o->seed = c->seed;
    o->interleave = c->interleave;
    o->window = c->window;
    o->epoch = o->filled = -1;
    o->starts = malloc((shards + 1) * sizeof *o->starts);
    o->which = malloc(shards * sizeof *o->which);
    o->begins = malloc((shards + 1) * sizeof *o->begins);
    o->places = malloc((size_t)c->window * sizeof *o->places);
    o->next = malloc(few * sizeof *o->next);
    o->sizes = malloc(few * sizeof *o->sizes);
    if (!o->starts || !o->which || !o->begins || !o->places || !o->next || !o->sizes) {
        order_window_destroy(o);
        return error_null(err, ERROR_MEMORY, "no memory for the order of samples in %lld shards",
                          (long long)c->shards);
    }
    o->starts[0] = c->starts[0];
    for (int64_t i = 0; i < c->shards; ++i)
        if (c->starts[i + 1] > o->starts[o->shards]) o->starts[++o->shards] = c->starts[i + 1];
    return o;
}

void order_window_destroy(order_window *o)
{
    if (!o) return;
    free(o->starts);
    free(o->which);
    free(o->begins);
    free(o->places);
    free(o->next);
    free(o->sizes);
    free(o);
}

static void swap(int64_t *a, int64_t *b)
{
    int64_t kept = *a;
    *a = *b;
    *b = kept;
}

static void shuffle(int64_t *list, int64_t count, const philox *random)
{
    for (int64_t i = count - 1; i > 0; --i)
        swap(&list[i], &list[philox_below(random, (uint32_t)i, (uint32_t)(i + 1))]);
}

static void begin_epoch(order_window *o, int64_t epoch)
{
    const philox random = { o->seed, (uint32_t)epoch, philox_stream("data.order.shards") };
    for (int64_t i = 0; i < o->shards; ++i) o->which[i] = i;
    shuffle(o->which, o->shards, &random);
    o->begins[0] = 0;
    for (int64_t i = 0; i < o->shards; ++i) {
        int64_t shard = o->which[i];
        o->begins[i + 1] = o->begins[i] + o->starts[shard + 1] - o->starts[shard];
    }
    o->epoch = epoch;
    o->filled = -1;
}

/* ---- Merging ---- */

/* Where a shard's nth sample of `size` stands among 2^33 steps: in the middle of its share. */
static uint64_t step_of(int64_t nth, int64_t size)
{
    return ((uint64_t)(2 * nth + 1) << 32) / (uint64_t)size;
}

/* How many of the shard's samples stand before a step. */
static int64_t count_before(uint64_t step, int64_t size)
{
    int64_t low = 0, high = size;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (step_of(middle, size) < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t count_all_before(const order_window *o, int few, uint64_t step)
{
    int64_t count = 0;
    for (int i = 0; i < few; ++i) count += count_before(step, o->sizes[i]);
    return count;
}

/* Which of the merged shards comes next: that whose next sample stands first, of several the first shard. */
static int choose(const order_window *o, int few)
{
    int best = -1;
    uint64_t first = UINT64_MAX;
    for (int i = 0; i < few; ++i) {
        if (o->next[i] == o->sizes[i]) continue;
        uint64_t step = step_of(o->next[i], o->sizes[i]);
        if (step < first) first = step, best = i;
    }
    return best;
}

/* Sets `next` to what `skipped` samples of the merged shards leave behind. */
static void skip(order_window *o, int few, int64_t skipped)
{
    uint64_t low = 0, high = (uint64_t)1 << 33; /* the last step with no more than that before it */
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (count_all_before(o, few, middle) <= skipped)
            low = middle;
        else
            high = middle - 1;
    }
    for (int i = 0; i < few; ++i) skipped -= o->next[i] = count_before(low, o->sizes[i]);
    for (; skipped > 0; --skipped) ++o->next[choose(o, few)];
}

/* Samples `from` up to `to` of the few shards from `first` on in the epoch's order, into `out`. */
static void merge(order_window *o, int64_t first, int few, int64_t from, int64_t to, int64_t *out)
{
    for (int i = 0; i < few; ++i) o->sizes[i] = o->begins[first + i + 1] - o->begins[first + i];
    skip(o, few, from);
    for (int64_t k = from; k < to; ++k) {
        int i = choose(o, few);
        *out++ = o->starts[o->which[first + i]] + o->next[i]++;
    }
}

static void fill(order_window *o, int64_t window)
{
    int64_t all = o->begins[o->shards], from = window * o->window, to = from + o->window, low = 0,
            high = o->shards - 1;
    if (to > all) to = all;
    while (low < high) { /* the shard that `from` is in */
        int64_t middle = (low + high + 1) / 2;
        if (o->begins[middle] <= from)
            low = middle;
        else
            high = middle - 1;
    }
    for (int64_t first = low / o->interleave * o->interleave, at = from; at < to; first += o->interleave) {
        int64_t last = first + o->interleave < o->shards ? first + o->interleave : o->shards;
        int64_t begin = o->begins[first], end = o->begins[last] < to ? o->begins[last] : to;
        merge(o, first, (int)(last - first), at - begin, end - begin, o->places + (at - from));
        at = end;
    }
    const philox random = { o->seed, (uint32_t)o->epoch,
                            philox_stream("data.order.window") + (uint32_t)window };
    shuffle(o->places, to - from, &random);
    o->filled = window;
}

int64_t order_window_at(order_window *o, int64_t epoch, int64_t nth)
{
    if (epoch != o->epoch) begin_epoch(o, epoch);
    CHECK(nth >= 0 && nth < o->begins[o->shards], "sample %lld of %lld in an epoch", (long long)nth,
          (long long)o->begins[o->shards]);
    if (nth / o->window != o->filled) fill(o, nth / o->window);
    return o->places[nth % o->window];
}

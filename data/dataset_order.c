/* dataset_order.c -- see dataset_order.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_order.h"
#include "data/dataset_inside.h"
#include "data/order_window.h"
#include <stdlib.h>

/* Tars interleaved, and samples of a window.  Of compressed tars what a window holds of them has to fit,
 * twice over, into what their streams keep. */
enum { INTERLEAVED = 16, PACKED_INTERLEAVED = 4, LEAST_WINDOW = 64, MOST_PACKED_WINDOW = 4096 };

/* Places of the selection before a source begins. */
static int64_t place_of_source(const dataset *d, const dataset_selection *s, int source)
{
    int64_t begin = dataset_source_begin(d, source), low = 0, high = s->count;
    if (s->picks) return picks_rank(s->picks, begin);
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (s->index[middle] < begin)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int choose_window(const dataset *d, const dataset_selection *s, int sources, int *interleave)
{
    int64_t bytes = 0, window = ORDER_WINDOW_MOST / sources;
    for (int64_t i = 0; i < index_shards(d->index); ++i) {
        const index_shard *shard = index_shard_at(d->index, i);
        if (shard->packed) bytes += shard->held;
    }
    *interleave = bytes ? PACKED_INTERLEAVED : INTERLEAVED;
    if (bytes) window = (int64_t)((double)STREAMS_KEPT / 3 / sources * (double)s->count / (double)bytes);
    if (bytes && window > MOST_PACKED_WINDOW) window = MOST_PACKED_WINDOW;
    return window < LEAST_WINDOW ? LEAST_WINDOW : (int)window;
}

/* The source's group, or 0. */
static int group_of(const dataset *d, int source)
{
    return d->groups ? d->groups[source] : 0;
}

typedef struct plan {
    int64_t *starts; /* of all sources, [source_count + 1] */
    order_source *sources;
    int count;
    int64_t *line; /* [selection's count] where runs are asked for */
} plan;

/* A source's places, all first ones of repeated samples before all second ones, and so on: neighbours then
 * are never the same sample. */
static void line_up(const dataset_selection *s, const order_source *source, int64_t *line)
{
    int64_t at = 0;
    for (int64_t again = 0; at < source->count; ++again)
        for (int64_t i = 0, nth = 0; i < source->count; ++i) {
            bool same = i > 0 && s->index[source->first + i] == s->index[source->first + i - 1];
            nth = same ? nth + 1 : 0;
            if (nth == again) line[at++] = i;
        }
}

static void find_runs(const dataset_selection *s, int64_t run, plan *p)
{
    for (int i = 0; i < p->count; ++i) {
        int64_t *line = p->line + p->sources[i].first;
        line_up(s, &p->sources[i], line);
        p->sources[i].line = line;
        p->sources[i].run = run;
    }
}

/* Groups, each of sources that come one after another; those of which nothing is selected are left out. */
static void find_sources(const dataset *d, plan *p)
{
    bool weighted = d->weights != NULL;
    for (int first = 0, end; first < d->source_count; first = end) {
        for (end = first + 1; end < d->source_count; ++end)
            if (weighted && group_of(d, end) != group_of(d, first)) break;
        int64_t count = p->starts[end] - p->starts[first];
        if (count == 0) continue;
        order_source *s = &p->sources[p->count++];
        *s = (order_source){ .first = p->starts[first], .count = count };
        s->weight = weighted ? d->weights[group_of(d, first)] : 1;
        if (d->index) s->starts = p->starts + first;
        if (d->index) s->shards = end - first;
    }
}

order *dataset_order(const dataset *d, const dataset_selection *selection, uint64_t seed, int64_t run,
                     error *err)
{
    plan p = { 0 };
    order *o = NULL;
    size_t sources = (size_t)d->source_count;
    p.starts = malloc((sources + 1) * sizeof *p.starts);
    p.sources = malloc(sources * sizeof *p.sources);
    bool runs = run > 1 && !d->index;
    if (runs) p.line = malloc((size_t)selection->count * sizeof *p.line);
    if (p.starts && p.sources && (p.line || !runs)) {
        for (int i = 0; i <= d->source_count; ++i) p.starts[i] = place_of_source(d, selection, i);
        find_sources(d, &p);
        if (runs) find_runs(selection, run, &p);
        order_config c = { .sources = p.sources, .count = p.count, .seed = seed };
        if (d->index) c.window = choose_window(d, selection, p.count, &c.interleave);
        o = order_create(&c, err);
    } else {
        error_set(err, ERROR_MEMORY, "no memory for the order of %d sources", d->source_count);
    }
    free(p.starts);
    free(p.sources);
    free(p.line);
    return o;
}

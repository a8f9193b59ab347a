/* order.c -- see order.h.
 * SPDX-License-Identifier: MIT */
#include "data/order.h"
#include "data/dataset.h"
#include "data/order_window.h"
#include "host/base/philox.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 65536 }; /* draws in which every source gets its share */

typedef struct part {
    int64_t first, count;
    uint64_t seed;
    order_window *windows;     /* or else */
    int64_t *order, epoch;     /* the whole of one epoch */
    int64_t run, *line, *runs; /* above 1: as the source's; and room to shuffle runs */
    uint32_t share;            /* of a block */
} part;

struct order {
    part *parts;
    int count;
    int64_t all; /* samples */
    uint64_t seed;
    int64_t block;  /* which is laid out; -1: none */
    uint8_t *whose; /* [BLOCK]: the source of each draw */
    uint16_t *nth;  /* [BLOCK]: how many of its source stand before it in the block */
};

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for the order of samples");
}

/* Runs that a source may have: one more where the first is not whole. */
static int64_t most_runs(const part *p)
{
    return (p->count + p->run - 1) / p->run + 1;
}

static bool open_runs(part *p, const order_source *s, error *err)
{
    p->run = s->run;
    if (p->run < 2) return true;
    size_t bytes = (size_t)p->count * sizeof *p->line;
    p->line = malloc(bytes);
    p->runs = malloc((size_t)most_runs(p) * sizeof *p->runs);
    if (!p->line || !p->runs) return no_memory(err);
    memcpy(p->line, s->line, bytes);
    return true;
}

/* The first source is drawn as it would be alone. */
static bool open_part(part *p, const order_config *c, int i, error *err)
{
    const order_source *s = &c->sources[i];
    *p = (part){ .first = s->first, .count = s->count, .epoch = -1 };
    p->seed = c->seed + (uint64_t)i * 0x9e3779b97f4a7c15u;
    if (s->starts) {
        const order_window_config w = { s->starts, s->shards, p->seed, c->interleave, c->window };
        return (p->windows = order_window_create(&w, err)) != NULL;
    }
    p->order = malloc((size_t)p->count * sizeof *p->order);
    return p->order ? open_runs(p, s, err) : no_memory(err);
}

/* Shares of a block in whole draws, each at least one; the largest takes what rounding leaves. */
static void share_out(order *o, const order_source *sources)
{
    double all = 0;
    int64_t left = BLOCK;
    int largest = 0;
    for (int i = 0; i < o->count; ++i) {
        all += sources[i].weight;
        if (sources[i].weight > sources[largest].weight) largest = i;
    }
    for (int i = 0; i < o->count; ++i) {
        double share = floor(sources[i].weight / all * BLOCK);
        o->parts[i].share = share < 1 ? 1 : (uint32_t)share;
        left -= o->parts[i].share;
    }
    o->parts[largest].share = (uint32_t)((int64_t)o->parts[largest].share + left);
}

static bool open_mix(order *o, const order_source *sources, error *err)
{
    for (int i = 0; i < o->count; ++i)
        if (!(sources[i].weight > 0 && isfinite(sources[i].weight)))
            return error_set(err, ERROR_USAGE, "the weight of source %d is %g; it must be above 0", i + 1,
                             sources[i].weight);
    o->whose = malloc(BLOCK * sizeof *o->whose);
    o->nth = malloc(BLOCK * sizeof *o->nth);
    if (!o->whose || !o->nth) return no_memory(err);
    share_out(o, sources);
    return true;
}

order *order_create(const order_config *c, error *err)
{
    CHECK(c->count >= 1, "%d sources", c->count);
    if (c->count > ORDER_SOURCES)
        return error_null(err, ERROR_USAGE, "%d sources with weights; at most %d are mixed", c->count,
                          ORDER_SOURCES);
    order *o = calloc(1, sizeof *o);
    if (o) o->parts = calloc((size_t)c->count, sizeof *o->parts);
    bool done = o && o->parts ? true : no_memory(err);
    for (int i = 0; done && i < c->count; ++i) {
        done = open_part(&o->parts[i], c, i, err);
        o->count = i + 1;
        o->all += c->sources[i].count;
    }
    if (done) {
        o->seed = c->seed;
        o->block = -1;
        if (o->count == 1 || open_mix(o, c->sources, err)) return o;
    }
    order_destroy(o);
    return NULL;
}

void order_destroy(order *o)
{
    if (!o) return;
    for (int i = 0; i < o->count; ++i) {
        order_window_destroy(o->parts[i].windows);
        free(o->parts[i].order);
        free(o->parts[i].line);
        free(o->parts[i].runs);
    }
    free(o->parts);
    free(o->whose);
    free(o->nth);
    free(o);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Whole runs, shuffled; the first one is shorter by what is drawn. */
static void shuffle_runs(part *p, uint32_t epoch)
{
    const philox random = { p->seed, epoch, philox_stream("data.order.runs") };
    int64_t missing = philox_below(&random, 0, (uint32_t)p->run), at = 0;
    int64_t runs = (p->count + missing + p->run - 1) / p->run;
    dataset_shuffle(runs, p->seed, epoch, p->runs);
    for (int64_t i = 0; i < runs; ++i) {
        int64_t begin = p->runs[i] * p->run - missing, end = begin + p->run;
        for (int64_t k = larger(begin, 0); k < end && k < p->count; ++k) p->order[at++] = p->line[k];
    }
}

static void shuffle(part *p, uint32_t epoch)
{
    if (p->run > 1)
        shuffle_runs(p, epoch);
    else
        dataset_shuffle(p->count, p->seed, epoch, p->order);
}

static order_draw draw_from(part *p, int64_t epoch, int64_t nth)
{
    if (p->windows) return (order_draw){ order_window_at(p->windows, epoch, nth), epoch };
    if (epoch != p->epoch) shuffle(p, (uint32_t)epoch);
    p->epoch = epoch;
    return (order_draw){ p->first + p->order[nth], epoch };
}

/* Every source's draws of a block, shuffled. */
static void lay_out(order *o, int64_t block)
{
    const philox random = { o->seed, (uint32_t)block, philox_stream("data.order.mix") };
    uint32_t at = 0, drawn[ORDER_SOURCES] = { 0 };
    for (int i = 0; i < o->count; ++i)
        for (uint32_t k = 0; k < o->parts[i].share; ++k) o->whose[at++] = (uint8_t)i;
    for (uint32_t i = BLOCK - 1; i > 0; --i) {
        uint32_t other = philox_below(&random, i, i + 1);
        uint8_t kept = o->whose[i];
        o->whose[i] = o->whose[other];
        o->whose[other] = kept;
    }
    for (int i = 0; i < BLOCK; ++i) o->nth[i] = (uint16_t)drawn[o->whose[i]]++;
    o->block = block;
}

order_draw order_at(order *o, int64_t epoch, int64_t nth)
{
    if (o->count == 1) return draw_from(&o->parts[0], epoch, nth);
    int64_t draw = epoch * o->all + nth;
    if (draw / BLOCK != o->block) lay_out(o, draw / BLOCK);
    part *p = &o->parts[o->whose[draw % BLOCK]];
    int64_t own = o->block * p->share + o->nth[draw % BLOCK];
    return draw_from(p, own / p->count, own % p->count);
}

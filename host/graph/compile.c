/* compile.c -- allocates what the plan says, binds every live node once, and replays.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"
#include "host/graph/split.h"

#include <stdlib.h>
#include <string.h>

bool graph_sound(const graph *g, error *err)
{
    if (g->failed && err) *err = g->failure;
    return !g->failed;
}

bool graph_plan(graph *g, graph_plan_info *info, error *err)
{
    if (!plan_mark_live(g, err) || !plan_place(g, err)) return false;
    if (info) *info = g->info;
    return true;
}

static bool fits(const graph *g, const char *knob, error *err)
{
    const device_info *d = device_get_info(g->device);
    double gib = (double)(1 << 30);
    if (g->info.largest_bytes > d->max_buffer_bytes)
        return error_set(
            err, ERROR_ROOM,
            "one tensor of '%s' needs %.4g GiB, the device's largest buffer is %.4g GiB; lower %s, or "
            "choose another --device",
            g->info.largest_name, (double)g->info.largest_bytes / gib, (double)d->max_buffer_bytes / gib,
            knob ? knob : "the batch");
    int64_t stored = 0; /* entries other graphs have already given memory are counted in allocated_bytes */
    for (int i = 0; i < store_count(g->store); ++i)
        if (!store_at(g->store, i)->buffer) stored += store_entry_bytes(store_at(g->store, i));
    int64_t needed = stored + g->info.input_bytes + g->info.work_bytes + g->info.library_bytes;
    int64_t available = d->memory_bytes - device_allocated_bytes(g->device) - g->reserve;
    if (needed <= available) return true;
    return error_set(
        err, ERROR_ROOM,
        "device '%s' has %.4g GiB free of %.4g, the plan needs %.4g GiB (parameters and state %.4g, "
        "activations and scratch %.4g); lower %s",
        d->name, (double)available / gib, (double)d->memory_bytes / gib, (double)needed / gib,
        (double)stored / gib, (double)(needed - stored) / gib, knob ? knob : "the batch");
}

static bool allocate(graph *g, uint64_t seed, error *err)
{
    if (!store_allocate(g->store, seed, err)) return false;
    g->slabs = calloc((size_t)g->slab_count + 1, sizeof(device_buffer *));
    if (!g->slabs) return error_set(err, ERROR_MEMORY, "out of memory for the memory plan");
    for (int i = 0; i < g->lent_count; ++i) g->slabs[i] = store_lender(g->store)->slabs[i];
    for (int i = g->lent_count; i < g->slab_count; ++i)
        if (!(g->slabs[i] = device_buffer_create(g->device, g->slab_bytes[i], err))) return false;
    for (int i = 0; i < g->storage_count; ++i) {
        storage *st = g->storages[i];
        if (st->place == STORAGE_ENTRY) {
            st->buffer = st->entry->buffer;
            st->offset_bytes = st->entry->offset * (int64_t)dtype_bytes(st->entry->type);
        } else if (st->place == STORAGE_INPUT) {
            if (!(st->buffer = device_buffer_create(g->device, st->bytes, err))) return false;
            if (!device_fill(g->device, st->buffer, 0, st->bytes, 0, err)) return false;
        } else if (st->first >= 0) {
            st->buffer = g->slabs[st->slab];
        }
    }
    return true;
}

static bool bind_all(graph *g, error *err)
{
    g->launches = device_launches_create(g->device, err);
    g->segment_launch = calloc((size_t)g->break_count + 2, sizeof *g->segment_launch);
    if (!g->launches) return false;
    if (!g->segment_launch)
        return error_set(err, ERROR_MEMORY, "out of memory for the launches of %d nodes", g->node_count);
    if (g->join) device_launches_defer(g->launches);
    binder b = { g, err };
    int next_break = 0;
    g->segment_total = 0;
    g->segment_launch[0] = 0;
    for (int i = 0; i < g->node_count; ++i) {
        while (next_break < g->break_count && g->breaks[next_break] <= i) {
            g->segment_launch[++g->segment_total] = device_launches_count(g->launches);
            ++next_break;
        }
        const node *n = g->nodes[i];
        if (!n->live || !n->def->bind) continue;
        if (!n->def->bind(n, &b)) return error_prefix(err, "%s", n->name);
    }
    g->segment_launch[++g->segment_total] = device_launches_count(g->launches);
    g->info.launches = device_launches_count(g->launches);
    return device_launches_join(g->launches, g->segment_launch, g->segment_total, err);
}

bool graph_compile(graph *g, uint64_t seed, const char *knob, error *err)
{
    CHECK(!g->compiled, "a graph is compiled once (%d nodes)", g->node_count);
    if (!graph_plan(g, NULL, err) || !fits(g, knob, err) || !allocate(g, seed, err) || !bind_all(g, err))
        return false;
    g->compiled = true;
    return true;
}

void graph_reserve(graph *g, int64_t bytes)
{
    g->reserve = bytes;
}

void graph_lend(graph *g)
{
    CHECK(g->compiled, "a graph lends what it has: it is compiled first (%d nodes)", g->node_count);
    store_set_lender(g->store, g);
}

bool graph_info(const graph *g, graph_plan_info *info)
{
    *info = g->info;
    return g->compiled;
}

void graph_join(graph *g)
{
    CHECK(!g->compiled, "a graph is joined before it is compiled (%d nodes)", g->node_count);
    g->join = true;
}

bool graph_joined(const graph *g)
{
    return device_launches_joined(g->launches);
}

int graph_segments(const graph *g)
{
    return g->segment_total;
}

void graph_poison_memory(graph *g, bool on)
{
    g->poison_memory = on;
}

static bool poison(graph *g, error *err)
{
    for (int i = 0; g->poison_memory && i < g->slab_count; ++i)
        if (!device_fill(g->device, g->slabs[i], 0, g->slab_bytes[i], 0x7fc00000u, err)) return false;
    return true;
}

void graph_settle(graph *g)
{
    const split *how = store_split(g->store);
    if (how && how->settle) how->settle(how->self);
}

bool graph_run_segment(graph *g, int segment, error *err)
{
    CHECK(g->compiled && segment >= 0 && segment < g->segment_total, "segment %d of %d", segment,
          g->segment_total);
    if (segment == 0 && !poison(g, err)) return false;
    int first = g->segment_launch[segment];
    bool ok = device_launches_run(g->launches, first, g->segment_launch[segment + 1] - first, err);
    if (!ok) graph_settle(g);
    return ok;
}

bool graph_run(graph *g, error *err)
{
    for (int i = 0; i < g->segment_total; ++i)
        if (!graph_run_segment(g, i, err)) return false;
    return true;
}

bool graph_run_times(graph *g, int times, error *err)
{
    CHECK(g->compiled && g->segment_total == 1, "%d segments cannot be repeated", g->segment_total);
    if (!g->poison_memory)
        return device_launches_repeat(g->launches, 0, device_launches_count(g->launches), times, err);
    for (int i = 0; i < times; ++i)
        if (!graph_run(g, err)) return false;
    return true;
}

/* ---- Transfers ---- */

static int64_t tensor_bytes(const tensor *t)
{
    return tensor_count(t) * (int64_t)dtype_bytes(t->type);
}

static int64_t tensor_at(const tensor *t)
{
    return t->storage->offset_bytes + t->offset * (int64_t)dtype_bytes(t->type);
}

/* Copies into a staging area first, so that the caller's memory is free at once and nothing waits for
 * the steps enqueued before. */
bool graph_write(tensor *t, const void *values, error *err)
{
    storage *st = t->storage;
    CHECK(st->buffer && tensor_is_contiguous(t), "'%s' is not writable", st->name);
    staging *s = &st->staging[st->next_staging];
    st->next_staging ^= 1;
    if (s->done) {
        bool ok = device_event_wait(s->done, err);
        device_event_release(s->done);
        s->done = NULL;
        if (!ok) return false;
    }
    if (!s->bytes && !(s->bytes = malloc((size_t)st->bytes)))
        return error_set(err, ERROR_MEMORY, "out of memory for staging %lld bytes of '%s'",
                         (long long)st->bytes, st->name);
    memcpy(s->bytes, values, (size_t)tensor_bytes(t));
    s->done = device_write_begin(t->graph->device, DEVICE_COMPUTE, st->buffer, tensor_at(t), s->bytes,
                                 tensor_bytes(t), NULL, err);
    return s->done != NULL;
}

static void check_readable(const tensor *t)
{
    CHECK(t->storage && t->storage->buffer && tensor_is_contiguous(t), "'%s' is not readable",
          t->storage ? t->storage->name : "?");
    CHECK(t->storage->place != STORAGE_PLANNED || t->storage->keep, "'%s' is read but was not kept",
          t->storage->name);
}

bool graph_read(tensor *t, void *values, error *err)
{
    check_readable(t);
    return device_read(t->graph->device, t->storage->buffer, tensor_at(t), values, tensor_bytes(t), err);
}

bool graph_read_f32(tensor *t, float *values, error *err)
{
    if (t->type == DTYPE_F32) return graph_read(t, values, err);
    void *stored = malloc((size_t)tensor_bytes(t));
    if (!stored) return error_set(err, ERROR_MEMORY, "out of memory for reading '%s'", t->storage->name);
    bool ok = graph_read(t, stored, err);
    if (ok) dtype_convert(DTYPE_F32, values, t->type, stored, tensor_count(t));
    free(stored);
    return ok;
}

void staging_free(graph *g, staging s[2])
{
    for (int k = 0; k < 2; ++k) {
        if (s[k].done) (void)device_event_wait(s[k].done, NULL);
        device_event_release(s[k].done);
        device_free_host(g->device, s[k].bytes);
    }
}

/* The reads of `t`: new if there were none; NULL when memory is out. */
static reading *readings_of(const tensor *t)
{
    reading *r = t->graph->readings;
    while (r && r->of != t) r = r->next;
    if (r || !(r = arena_alloc(t->graph->arena, sizeof *r))) return r;
    r->of = t;
    r->next = t->graph->readings;
    return t->graph->readings = r;
}

bool graph_read_begin(tensor *t, error *err)
{
    check_readable(t);
    reading *r = readings_of(t);
    staging *s = r ? &r->staging[(r->oldest + r->count) % 2] : NULL;
    CHECK(!r || r->count < 2, "'%s' is read a third time before the first is done", t->storage->name);
    if (!r || (!s->bytes && !(s->bytes = malloc((size_t)tensor_bytes(t)))))
        return error_set(err, ERROR_MEMORY, "out of memory for reading '%s'", t->storage->name);
    s->done = device_read_begin(t->graph->device, DEVICE_COMPUTE, t->storage->buffer, tensor_at(t), s->bytes,
                                tensor_bytes(t), NULL, err);
    if (s->done) ++r->count;
    return s->done != NULL;
}

bool graph_read_end(tensor *t, void *values, error *err)
{
    reading *r = readings_of(t);
    CHECK(r && r->count, "no read of '%s' is under way", t->storage->name);
    staging *s = &r->staging[r->oldest];
    bool ok = device_event_wait(s->done, err);
    device_event_release(s->done);
    s->done = NULL;
    r->oldest ^= 1;
    --r->count;
    if (ok) memcpy(values, s->bytes, (size_t)tensor_bytes(t));
    return ok;
}

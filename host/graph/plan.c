/* plan.c -- which nodes are needed, how long each tensor lives, and where it lies.
 *
 * Tensors are placed largest first, each at the lowest offset of the first slab where it overlaps no
 * tensor that is alive at the same time.  Slabs are no larger than the device's largest buffer.  Those that
 * another graph lends come first, and hold nothing that is kept.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"

#include <stdlib.h>
#include <string.h>

/* Walks back from kept tensors and wanted updates. */
bool plan_mark_live(graph *g, error *err)
{
    if (!graph_sound(g, err)) return false;
    (void)device_library_bytes(g->device); /* of earlier plans */
    for (int i = g->node_count - 1; i >= 0; --i) {
        node *n = g->nodes[i];
        if (!n->live) continue;
        for (int k = 0; k < n->in_count; ++k)
            if (n->in[k] && n->in[k]->from) n->in[k]->from->live = true;
    }
    for (int i = 0; i < g->node_count; ++i) {
        node *n = g->nodes[i];
        if (!n->live || !n->def->workspace || n->workspace) continue;
        int64_t bytes = n->def->workspace(n, g->device, err);
        if (bytes < 0) return error_prefix(err, "%s", n->name);
        if (!bytes) continue;
        n->workspace = graph_new_storage(g, STORAGE_PLANNED, n->name,
                                         (bytes + STORAGE_ALIGN - 1) / STORAGE_ALIGN * STORAGE_ALIGN);
        if (!n->workspace) return error_set(err, ERROR_MEMORY, "out of memory for the plan of %s", n->name);
    }
    const int64_t library = device_library_bytes(g->device);
    if (g->library_bytes < library) g->library_bytes = library;
    return true;
}

static void touch(storage *st, int position)
{
    if (st->first < 0) st->first = position;
    st->last = position;
}

/* What a segment reads of earlier ones stays until its end, for it may run again. */
static void outlive_segment(const graph *g, storage *st)
{
    int last = graph_segment_of(g, st->last);
    if (last > graph_segment_of(g, st->first))
        st->last = last < g->break_count ? g->breaks[last] - 1 : g->node_count;
}

static void find_lifetimes(graph *g)
{
    for (int i = 0; i < g->storage_count; ++i) g->storages[i]->first = -1;
    for (int i = 0; i < g->node_count; ++i) {
        node *n = g->nodes[i];
        if (!n->live) continue;
        for (int k = 0; k < n->in_count; ++k)
            if (n->in[k]) touch(n->in[k]->storage, i);
        for (int k = 0; k < n->out_count; ++k) touch(n->out[k]->storage, i);
        if (n->workspace) touch(n->workspace, i);
    }
    for (int i = 0; i < g->storage_count && g->break_count; ++i)
        if (g->storages[i]->first >= 0) outlive_segment(g, g->storages[i]);
    /* A kept tensor stays readable until the next run. */
    for (int i = 0; i < g->storage_count; ++i)
        if (g->storages[i]->keep && g->storages[i]->first >= 0) g->storages[i]->last = g->node_count;
}

static int larger_first(const void *a, const void *b)
{
    const storage *x = *(storage *const *)a, *y = *(storage *const *)b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return x->first - y->first;
}

/* The lowest free offset for `st` in `slab` among the placed storages, which are sorted by offset. */
static int64_t lowest_gap(storage *const *placed, int count, const storage *st, int slab)
{
    int64_t at = 0;
    for (int i = 0; i < count; ++i) {
        const storage *p = placed[i];
        if (p->slab != slab || p->last < st->first || p->first > st->last) continue;
        if (p->offset_bytes >= at + st->bytes) break;
        if (p->offset_bytes + p->bytes > at) at = p->offset_bytes + p->bytes;
    }
    return at;
}

static bool add_slab(graph *g, error *err)
{
    int64_t *bytes = realloc(g->slab_bytes, (size_t)(g->slab_count + 1) * sizeof *bytes);
    if (!bytes) return error_set(err, ERROR_MEMORY, "out of memory for the memory plan");
    g->slab_bytes = bytes;
    g->slab_bytes[g->slab_count++] = 0;
    return true;
}

/* The slabs of the graph that lends, empty. */
static bool borrow(graph *g, error *err)
{
    const graph *lender = store_lender(g->store);
    g->slab_count = g->lent_count = 0;
    for (int i = 0; lender && lender != g && i < lender->slab_count; ++i)
        if (!add_slab(g, err)) return false;
    g->lent_count = g->slab_count;
    return true;
}

static bool place_one(graph *g, storage **placed, int count, storage *st, int64_t limit, error *err)
{
    const graph *lender = store_lender(g->store);
    if (limit < st->bytes) limit = st->bytes; /* on paper; graph_compile refuses */
    for (int slab = st->keep ? g->lent_count : 0;; ++slab) {
        if (slab == g->slab_count && !add_slab(g, err)) return false;
        int64_t at = lowest_gap(placed, count, st, slab);
        if (at + st->bytes > (slab < g->lent_count ? lender->slab_bytes[slab] : limit)) continue;
        st->slab = slab;
        st->offset_bytes = at;
        if (g->slab_bytes[slab] < at + st->bytes) g->slab_bytes[slab] = at + st->bytes;
        break;
    }
    int to = count;
    while (to > 0 && placed[to - 1]->offset_bytes > st->offset_bytes) --to;
    memmove(placed + to + 1, placed + to, (size_t)(count - to) * sizeof *placed);
    placed[to] = st;
    return true;
}

bool plan_place(graph *g, error *err)
{
    find_lifetimes(g);
    int64_t limit = device_get_info(g->device)->max_buffer_bytes;
    storage **order = malloc(((size_t)g->storage_count + 1) * sizeof *order);
    storage **placed = malloc(((size_t)g->storage_count + 1) * sizeof *placed);
    bool ok = order && placed ? true : error_set(err, ERROR_MEMORY, "out of memory for the memory plan");
    int count = 0;
    ok = ok && borrow(g, err);
    memset(&g->info, 0, sizeof g->info);
    for (int i = 0; ok && i < g->storage_count; ++i) {
        storage *st = g->storages[i];
        if (st->place == STORAGE_INPUT) g->info.input_bytes += st->bytes;
        if (st->place != STORAGE_PLANNED || st->first < 0) continue;
        g->info.naive_bytes += st->bytes;
        if (st->bytes > g->info.largest_bytes) {
            g->info.largest_bytes = st->bytes;
            g->info.largest_name = st->name;
        }
        order[count++] = st;
    }
    if (ok) qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int i = 0; ok && i < count; ++i) ok = place_one(g, placed, i, order[i], limit, err);
    for (int i = g->lent_count; i < g->slab_count; ++i) g->info.work_bytes += g->slab_bytes[i];
    g->info.library_bytes = g->library_bytes;
    for (int i = 0; i < g->node_count; ++i) g->info.nodes += g->nodes[i]->live;
    g->info.store_bytes = store_bytes(g->store);
    g->info.slabs = g->slab_count;
    free(order);
    free(placed);
    return ok;
}

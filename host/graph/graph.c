/* graph.c -- building: scopes, tensors, nodes, latched mistakes.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"

#include "host/base/philox.h"
#include "host/graph/split.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool graph_grow(void **array, int *capacity, size_t size)
{
    int wanted = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(*array, (size_t)wanted * size);
    if (!grown) return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

graph *graph_create(store *s, error *err)
{
    graph *g = calloc(1, sizeof *g);
    if (g) g->arena = arena_create();
    if (!g || !g->arena) {
        free(g);
        return error_null(err, ERROR_MEMORY, "out of memory for a graph");
    }
    g->store = s;
    g->device = store_device(s);
    g->trainable = true;
    g->half = DTYPE_F32;
    tensor *p = &g->poison.tensor;
    p->graph = g;
    p->rank = 1;
    for (int i = 0; i < TENSOR_RANK_MAX; ++i) p->dim[i] = p->stride[i] = 1;
    p->poison = true;
    return g;
}

void graph_destroy(graph *g)
{
    if (!g) return;
    graph_settle(g);
    device_launches_destroy(g->launches);
    if (store_lender(g->store) == g) store_set_lender(g->store, NULL);
    for (int i = g->lent_count; g->slabs && i < g->slab_count; ++i) device_buffer_destroy(g->slabs[i]);
    for (int i = 0; i < g->storage_count; ++i) {
        storage *st = g->storages[i];
        staging_free(g, st->staging);
        if (st->place == STORAGE_INPUT) device_buffer_destroy(st->buffer);
    }
    for (reading *r = g->readings; r; r = r->next) staging_free(g, r->staging);
    free(g->slabs);
    free(g->slab_bytes);
    free(g->segment_launch);
    free(g->storages);
    free(g->nodes);
    free(g->inputs);
    free(g->breaks);
    free(g->names);
    arena_destroy(g->arena);
    free(g);
}

store *graph_store(const graph *g)
{
    return g->store;
}

device *graph_device(const graph *g)
{
    return g->device;
}

tensor *graph_poison(graph *g)
{
    return &g->poison.tensor;
}

bool graph_fail(graph *g, const char *format, ...)
{
    if (g->failed) return false;
    g->failed = true;
    va_list args;
    va_start(args, format);
    error_setv(&g->failure, ERROR_MODEL, format, args);
    va_end(args);
    if (g->scope[0]) error_prefix(&g->failure, "%s", g->scope);
    return false;
}

bool graph_no_memory(graph *g)
{
    if (!g->failed) {
        g->failed = true;
        error_set(&g->failure, ERROR_MEMORY, "out of memory while building a graph of %d nodes",
                  g->node_count);
    }
    return false;
}

/* ---- Scopes ---- */

void graph_push(graph *g, const char *format, ...)
{
    size_t used = strlen(g->scope);
    CHECK(g->scope_depth < 32, "scopes nest deeper than 32 at '%s'", g->scope);
    g->scope_marks[g->scope_depth++] = (int)used;
    va_list args;
    va_start(args, format);
    if (used && used + 1 < sizeof g->scope) g->scope[used++] = '.';
    vsnprintf(g->scope + used, sizeof g->scope - used, format, args);
    va_end(args);
}

void graph_pop(graph *g)
{
    CHECK(g->scope_depth > 0, "graph_pop without graph_push (%d)", g->scope_depth);
    g->scope[g->scope_marks[--g->scope_depth]] = 0;
}

const char *graph_scoped(graph *g, const char *name)
{
    const char *text =
        g->scope[0] ? arena_printf(g->arena, "%s.%s", g->scope, name) : arena_strdup(g->arena, name);
    if (!text) graph_no_memory(g);
    return text ? text : name;
}

void *graph_allocate(graph *g, size_t bytes)
{
    void *memory = arena_alloc(g->arena, bytes);
    if (!memory) graph_no_memory(g);
    return memory;
}

/* Numbers equal names, so that every node's name, and with it its random stream, is its own. */
static int count_name(graph *g, const char *name)
{
    if (g->name_count * 2 >= g->name_slots) {
        int slots = g->name_slots ? g->name_slots * 2 : 256;
        name_count *table = calloc((size_t)slots, sizeof *table);
        if (!table) return graph_no_memory(g) ? 0 : 0;
        for (int i = 0; i < g->name_slots; ++i) {
            if (!g->names[i].name) continue;
            uint32_t to = philox_stream(g->names[i].name) & (uint32_t)(slots - 1);
            while (table[to].name) to = (to + 1) & (uint32_t)(slots - 1);
            table[to] = g->names[i];
        }
        free(g->names);
        g->names = table;
        g->name_slots = slots;
    }
    uint32_t at = philox_stream(name) & (uint32_t)(g->name_slots - 1);
    while (g->names[at].name && strcmp(g->names[at].name, name) != 0)
        at = (at + 1) & (uint32_t)(g->name_slots - 1);
    if (!g->names[at].name) {
        g->names[at].name = name;
        ++g->name_count;
    }
    return g->names[at].count++;
}

/* ---- Tensors ---- */

static int64_t storage_bytes_for(dtype type, int64_t count)
{
    int64_t elements = (count + TENSOR_PAD - 1) / TENSOR_PAD * TENSOR_PAD;
    return (elements * (int64_t)dtype_bytes(type) + STORAGE_ALIGN - 1) / STORAGE_ALIGN * STORAGE_ALIGN;
}

storage *graph_new_storage(graph *g, storage_place place, const char *name, int64_t bytes)
{
    storage *st = arena_alloc(g->arena, sizeof *st);
    if (!st || !GROW(g->storages, g->storage_count, g->storage_capacity)) {
        graph_no_memory(g);
        return NULL;
    }
    st->place = place;
    st->name = name;
    st->bytes = bytes;
    st->first = -1;
    g->storages[g->storage_count++] = st;
    return st;
}

tensor *graph_new_tensor(graph *g, dtype type, int rank, const int64_t *dim)
{
    if (rank < 0 || rank > TENSOR_RANK_MAX) {
        graph_fail(g, "a tensor of %d axes; at most %d are supported", rank, TENSOR_RANK_MAX);
        return NULL;
    }
    tensor_record *record = arena_alloc(g->arena, sizeof *record);
    if (!record) {
        graph_no_memory(g);
        return NULL;
    }
    tensor *t = &record->tensor;
    t->graph = g;
    t->type = type;
    t->rank = rank;
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; --i) {
        if (dim[i] < 1) {
            graph_fail(g, "axis %d of a tensor has size %lld; sizes start at 1", i, (long long)dim[i]);
            return NULL;
        }
        t->dim[i] = dim[i];
        t->stride[i] = stride;
        stride *= dim[i];
    }
    return t;
}

tensor *graph_input(graph *g, const char *name, dtype type, int rank, const int64_t *dim)
{
    tensor *t = graph_new_tensor(g, type, rank, dim);
    if (t)
        t->storage = graph_new_storage(g, STORAGE_INPUT, graph_scoped(g, name),
                                       storage_bytes_for(type, tensor_count(t)));
    if (!t || !t->storage) return graph_poison(g);
    if (!GROW(g->inputs, g->input_count, g->input_capacity)) {
        graph_no_memory(g);
        return graph_poison(g);
    }
    g->inputs[g->input_count++] = t;
    return t;
}

tensor *graph_entry(graph *g, store_entry *e)
{
    bool needs_gradient = g->trainable && e->kind == STORE_PARAMETER;
    /* One storage per entry, however many ask for it: in-place updates must be seen by all, and the
     * gradients of all must meet. */
    storage *st = NULL;
    for (int i = 0; i < g->storage_count && !st; ++i)
        if (g->storages[i]->entry == e) st = g->storages[i];
    if (st && st->whole->needs_gradient == needs_gradient) return st->whole;
    tensor *t = graph_new_tensor(g, e->type, e->rank, e->dim);
    if (!st) st = graph_new_storage(g, STORAGE_ENTRY, e->name, storage_bytes_for(e->type, e->count));
    if (!t || !st) return graph_poison(g);
    t->storage = st;
    t->needs_gradient = needs_gradient;
    if (!st->whole) st->whole = t;
    st->entry = e;
    return t;
}

/* What could not be declared: NULL, with the reason latched. */
static store_entry *undeclared(graph *g, const char *name, int rank)
{
    if (store_find(g->store, name) || rank > TENSOR_RANK_MAX)
        graph_fail(g, "'%s' is already declared with another shape, type or kind", name);
    else
        graph_no_memory(g);
    return NULL;
}

/* Whether it is because it would be a piece, and the sizes say no. */
static bool is_indivisible(graph *g, const char *name, store_kind kind, int rank, const int64_t *dim)
{
    const split *how = store_split(g->store);
    if (!how || kind != STORE_PARAMETER || rank < 2 || store_find(g->store, name)) return false;
    if (dim[0] % how->count == 0 || dim[rank - 1] % how->count == 0) return false;
    return !graph_fail(
        g,
        "'%s', whose first size is %lld and whose last is %lld, cannot be split among %d ranks: "
        "use a number of shards that divides one of them",
        name, (long long)dim[0], (long long)dim[rank - 1], how->count);
}

store_entry *graph_declare(graph *g, const char *name, store_kind kind, dtype type, int rank,
                           const int64_t *dim)
{
    store_entry *e = store_declare(g->store, name, kind, type, rank, dim);
    if (!e && is_indivisible(g, name, kind, rank, dim)) return NULL;
    return e ? e : undeclared(g, name, rank);
}

store_entry *graph_declare_kin(graph *g, store_entry *of, store_kind kind, dtype type)
{
    store_entry *e = store_declare_kin(g->store, of, kind, type);
    if (e) return e;
    char name[STORE_NAME_MAX];
    store_kin_name(kind, of->name, name);
    return undeclared(g, name, of->rank);
}

tensor *graph_parameter(graph *g, const char *name, parameter_spec spec, int rank, const int64_t *dim)
{
    const char *scoped = graph_scoped(g, name);
    if (g->failed) return graph_poison(g); /* a name may be cut short */
    const store_entry *known = store_find(g->store, scoped);
    store_entry *average = known && g->averages ? store_kin(known, STORE_AVERAGE) : NULL;
    if (average) return graph_entry(g, average);
    store_entry *e = graph_declare(g, scoped, spec.kind, spec.type, rank, dim);
    if (!e) return graph_poison(g);
    if (!known) {
        e->init = spec.init;
        e->deviation = spec.deviation;
        e->decay = spec.decay;
        e->wide = spec.wide;
    }
    if (g->block) e->block = g->block;
    return graph_entry(g, e);
}

store_entry *graph_entry_of(const tensor *t)
{
    if (t->poison || !t->storage || t->storage->place != STORAGE_ENTRY) return NULL;
    return tensor_count(t) == t->storage->entry->count ? t->storage->entry : NULL;
}

void graph_set_trainable(graph *g, bool trainable)
{
    g->trainable = trainable;
}

void graph_set_averages(graph *g, bool averages)
{
    g->averages = averages;
}

void graph_set_half(graph *g, dtype type)
{
    CHECK(!g->node_count, "a graph's half is set before anything is built (%d nodes)", g->node_count);
    g->half = type;
}

dtype graph_half(const graph *g)
{
    return g->half;
}

void graph_set_block(graph *g, int block)
{
    g->block = block;
}

/* ---- Nodes ---- */

node *graph_node(graph *g, const op_def *def, int in_count, tensor *const *in, const void *attributes,
                 size_t attributes_size)
{
    CHECK(in_count <= NODE_INPUTS_MAX, "%s has %d inputs", def->name, in_count);
    if (g->failed) return NULL;
    bool needs_gradient = false;
    for (int i = 0; i < in_count; ++i) {
        if (!in[i]) continue;
        if (in[i]->poison) return NULL;
        CHECK(in[i]->graph == g, "%s: input %d belongs to another graph", def->name, i);
        needs_gradient |= in[i]->needs_gradient;
    }
    node *n = arena_alloc(g->arena, sizeof *n);
    if (!n || !GROW(g->nodes, g->node_count, g->node_capacity)) return graph_no_memory(g) ? NULL : NULL;
    n->graph = g;
    n->def = def;
    n->in_count = in_count;
    if (in_count) memcpy(n->in, in, (size_t)in_count * sizeof *in);
    if (attributes_size) {
        n->attributes = arena_alloc(g->arena, attributes_size);
        if (!n->attributes) return graph_no_memory(g) ? NULL : NULL;
        memcpy(n->attributes, attributes, attributes_size);
    }
    const char *base = graph_scoped(g, def->name);
    int number = count_name(g, base);
    n->name = number ? arena_printf(g->arena, "%s.%d", base, number) : base;
    if (!n->name) return graph_no_memory(g) ? NULL : NULL;
    n->stretch = g->stretch;
    n->index = g->node_count;
    if (!def->infer(n) || g->failed) { /* an output may be missing for want of memory */
        if (!g->failed) graph_fail(g, "%s: refused its inputs", def->name);
        return NULL;
    }
    for (int i = 0; i < n->out_count; ++i)
        n->out[i]->needs_gradient = needs_gradient && def->grad && dtype_is_float(n->out[i]->type);
    g->nodes[g->node_count++] = n;
    return n;
}

int graph_node_count(const graph *g)
{
    return g->node_count;
}

double node_flops(const node *n)
{
    return n->def->flops ? n->def->flops(n) : 0.0;
}

node *graph_node_at(const graph *g, int index)
{
    CHECK(index >= 0 && index < g->node_count, "node %d of %d", index, g->node_count);
    return g->nodes[index];
}

tensor *graph_node1(graph *g, const op_def *def, int in_count, tensor *const *in, const void *attributes,
                    size_t attributes_size)
{
    node *n = graph_node(g, def, in_count, in, attributes, attributes_size);
    return n ? n->out[0] : graph_poison(g);
}

static tensor *add_output(node *n, tensor *t)
{
    CHECK(n->out_count < NODE_OUTPUTS_MAX, "%s has too many outputs (%d)", n->def->name, n->out_count);
    if (!t || !t->storage) return graph_poison(n->graph);
    t->from = n;
    t->out_index = n->out_count;
    n->out[n->out_count++] = t;
    return t;
}

tensor *node_output(node *n, dtype type, int rank, const int64_t *dim)
{
    tensor *t = graph_new_tensor(n->graph, type, rank, dim);
    if (t)
        t->storage =
            graph_new_storage(n->graph, STORAGE_PLANNED, n->name, storage_bytes_for(type, tensor_count(t)));
    return add_output(n, t);
}

tensor *node_output_view(node *n, int input, int rank, const int64_t *dim, const int64_t *stride,
                         int64_t offset)
{
    const tensor *of = n->in[input];
    tensor *t = graph_new_tensor(n->graph, of->type, rank, dim);
    if (t) {
        for (int i = 0; i < rank; ++i) t->stride[i] = stride[i];
        t->offset = of->offset + offset;
        t->storage = of->storage;
    }
    return add_output(n, t);
}

tensor *node_output_in_place(node *n, int input)
{
    const tensor *of = n->in[input];
    return node_output_view(n, input, of->rank, of->dim, of->stride, 0);
}

void graph_recompute_begin(graph *g)
{
    CHECK(!g->stretch, "recomputed stretches do not nest (%d)", g->stretch);
    g->stretch = ++g->stretch_count;
}

void graph_recompute_end(graph *g)
{
    g->stretch = 0;
}

void graph_keep(tensor *t)
{
    if (!t->poison) t->storage->keep = true;
    if (t->from) t->from->live = true;
}

void graph_update(tensor *t)
{
    if (t->from) t->from->live = true;
}

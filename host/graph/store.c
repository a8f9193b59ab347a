/* store.c -- named device tensors, packed into buffers no larger than the device allows.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"

#include "host/base/arena.h"
#include "host/base/philox.h"
#include "host/graph/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_ALIGN = 256, ENTRY_PAD = 16 };

/* An entry, and what only split.h needs to know of it. */
typedef struct entry_record {
    store_entry entry; /* first, so that an entry pointer is a record pointer */
    bool is_piece;
    int axis;
} entry_record;

struct store {
    device *device;
    arena *arena;
    store_entry **entries;
    int count, capacity;
    int *slots; /* open-addressing hash of names: index + 1, 0 = free */
    int slot_count;
    device_buffer **buffers;
    int buffer_count;
    bool awaits_values;
    dtype weight_type, trained_type;
    int ranks;
    split split; /* .count 0: entries are whole */
    graph *lender;
};

graph *store_lender(const store *s)
{
    return s->lender;
}

void store_set_lender(store *s, graph *lender)
{
    s->lender = lender;
}

store *store_create(device *d, error *err)
{
    store *s = calloc(1, sizeof *s);
    if (s) s->arena = arena_create();
    if (!s || !s->arena) {
        free(s);
        return error_null(err, ERROR_MEMORY, "out of memory for a parameter store");
    }
    s->device = d;
    s->weight_type = s->trained_type = DTYPE_F32;
    s->ranks = 1;
    return s;
}

void store_destroy(store *s)
{
    if (!s) return;
    if (s->split.close) s->split.close(s->split.self);
    for (int i = 0; i < s->buffer_count; ++i) device_buffer_destroy(s->buffers[i]);
    free(s->buffers);
    free(s->entries);
    free(s->slots);
    arena_destroy(s->arena);
    free(s);
}

device *store_device(const store *s)
{
    return s->device;
}

/* The slot that holds `name`, or the free one where it belongs. */
static int find_slot(const store *s, const char *name)
{
    uint32_t at = philox_stream(name) & (uint32_t)(s->slot_count - 1);
    while (s->slots[at] && strcmp(s->entries[s->slots[at] - 1]->name, name) != 0)
        at = (at + 1) & (uint32_t)(s->slot_count - 1);
    return (int)at;
}

static bool grow(store *s)
{
    if (s->count < s->capacity) return true;
    int capacity = s->capacity ? s->capacity * 2 : 64;
    store_entry **entries = realloc(s->entries, (size_t)capacity * sizeof *entries);
    if (!entries) return false;
    s->entries = entries;
    int *slots = calloc((size_t)capacity * 2, sizeof *slots);
    if (!slots) return false;
    free(s->slots);
    s->slots = slots;
    s->slot_count = capacity * 2;
    s->capacity = capacity;
    for (int i = 0; i < s->count; ++i) s->slots[find_slot(s, s->entries[i]->name)] = i + 1;
    return true;
}

store_entry *store_find(const store *s, const char *name)
{
    if (!s->count) return NULL;
    int at = s->slots[find_slot(s, name)];
    return at ? s->entries[at - 1] : NULL;
}

/* ---- Pieces ---- */

void store_set_split(store *s, const split *how)
{
    CHECK(!s->count, "a store is split before anything is declared (%d entries)", s->count);
    s->split = *how;
}

const split *store_split(const store *s)
{
    return s->split.count > 1 ? &s->split : NULL;
}

int split_axis(const store_entry *e)
{
    const entry_record *r = (const entry_record *)e;
    return r->is_piece ? r->axis : -1;
}

/* The axis that a parameter of these sizes is split along; -1: it cannot be divided. */
static int axis_to_split(const store *s, int rank, const int64_t *dim)
{
    int64_t rest = 1;
    for (int i = 1; i < rank; ++i) rest *= dim[i];
    bool first = dim[0] % s->split.count == 0, last = dim[rank - 1] % s->split.count == 0;
    if (first && (dim[0] >= rest || !last)) return 0;
    return last ? rank - 1 : -1;
}

/* ---- Declaring ---- */

static store_entry *new_entry(store *s, const char *name, store_kind kind, int rank, const int64_t *dim)
{
    if (rank < 0 || rank > TENSOR_RANK_MAX || !grow(s)) return NULL;
    entry_record *r = arena_alloc(s->arena, sizeof *r);
    if (!r || !(r->entry.name = arena_strdup(s->arena, name))) return NULL;
    r->is_piece = store_split(s) && kind == STORE_PARAMETER && rank > 1;
    if (r->is_piece && (r->axis = axis_to_split(s, rank, dim)) < 0) return NULL;
    return &r->entry;
}

store_entry *store_declare(store *s, const char *name, store_kind kind, dtype type, int rank,
                           const int64_t *dim)
{
    store_entry *e = store_find(s, name);
    if (e) {
        bool same = e->kind == kind && e->type == type && e->rank == rank;
        int64_t sizes[TENSOR_RANK_MAX];
        split_sizes(s, e, sizes);
        for (int i = 0; same && i < rank; ++i) same = sizes[i] == dim[i];
        return same ? e : NULL;
    }
    if (!(e = new_entry(s, name, kind, rank, dim))) return NULL;
    e->kind = kind;
    e->type = type;
    e->rank = rank;
    e->count = 1;
    for (int i = 0; i < rank; ++i)
        e->count *= e->dim[i] = i == split_axis(e) ? dim[i] / s->split.count : dim[i];
    s->entries[s->count++] = e;
    s->slots[find_slot(s, name)] = s->count;
    return e;
}

/* ---- Kin ---- */

/* Checkpoints have always named kin so, and older programs read them. */
static const char *const kin_prefix[] = {
    [STORE_MEAN] = "adam.mean.",
    [STORE_VARIANCE] = "adam.variance.",
    [STORE_AVERAGE] = "ema.",
    [STORE_ERROR] = "powersgd.error.",
};
enum { KIN_KINDS = sizeof kin_prefix / sizeof *kin_prefix };

void store_kin_name(store_kind kind, const char *parameter, char name[STORE_NAME_MAX])
{
    CHECK((int)kind < KIN_KINDS && kin_prefix[kind], "entries of kind %d belong to no parameter", (int)kind);
    snprintf(name, STORE_NAME_MAX, "%s%s", kin_prefix[kind], parameter);
}

store_kind store_kin_named(const char *name)
{
    for (int k = 0; k < KIN_KINDS; ++k)
        if (kin_prefix[k] && strncmp(name, kin_prefix[k], strlen(kin_prefix[k])) == 0) return (store_kind)k;
    return STORE_PARAMETER;
}

store_entry *store_kin(const store_entry *of, store_kind kind)
{
    store_entry *e = of->kin;
    while (e && e->kind != kind) e = e->next_kin;
    return e;
}

store_entry *store_declare_kin(store *s, store_entry *of, store_kind kind, dtype type)
{
    store_entry *e = store_kin(of, kind);
    if (e) return e->type == type ? e : NULL;
    char name[STORE_NAME_MAX];
    store_kin_name(kind, of->name, name);
    if (store_find(s, name) || !(e = store_declare(s, name, kind, type, of->rank, of->dim))) return NULL;
    e->of = of;
    ((entry_record *)e)->is_piece = split_axis(of) >= 0;
    ((entry_record *)e)->axis = split_axis(of);
    store_entry **last = &of->kin;
    while (*last) last = &(*last)->next_kin;
    return *last = e;
}

int store_count(const store *s)
{
    return s->count;
}

store_entry *store_at(const store *s, int index)
{
    return s->entries[index];
}

int64_t store_entry_bytes(const store_entry *e)
{
    int64_t elements = (e->count + ENTRY_PAD - 1) / ENTRY_PAD * ENTRY_PAD;
    return (elements * (int64_t)dtype_bytes(e->type) + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
}

int64_t store_elements(const store *s, store_kind kind)
{
    int64_t sum = 0;
    for (int i = 0; i < s->count; ++i)
        if (s->entries[i]->kind == kind) sum += s->entries[i]->count;
    return sum;
}

int64_t store_bytes(const store *s)
{
    int64_t sum = 0;
    for (int i = 0; i < s->count; ++i) sum += store_entry_bytes(s->entries[i]);
    return sum;
}

/* How many elements the next piece has, when `left` are left. */
static int64_t piece(int64_t left)
{
    return left < STORE_PIECE ? left : STORE_PIECE;
}

/* Room for a piece of elements of `bytes` each. */
static void *piece_room(const store_entry *e, int64_t count, size_t bytes, error *err)
{
    void *room = malloc((size_t)piece(count) * bytes + 1);
    if (room) return room;
    return error_null(err, ERROR_MEMORY, "out of memory for %lld values of '%s'", (long long)piece(count),
                      e->name);
}

/* Element i of the whole draws the i-th number, however the whole is split. */
static void draw(const store *s, const store_entry *e, const philox *p, int64_t first, int64_t count,
                 float *values)
{
    for (int64_t i = 0, now; i < count; i += now) {
        now = split_stretch(e, first + i, count - i);
        const int64_t index = split_index(s, e, first + i);
        for (int64_t k = 0; k < now; ++k)
            values[i + k] =
                e->init == STORE_ONES ? 1.0f : e->deviation * philox_normal(p, (uint32_t)(index + k));
    }
}

static bool initialise(store *s, store_entry *e, uint64_t seed, error *err)
{
    int64_t bytes = store_entry_bytes(e);
    if (!device_fill(s->device, e->buffer, e->offset * (int64_t)dtype_bytes(e->type), bytes, 0, err))
        return false;
    if (e->init == STORE_ZEROS || s->awaits_values) return true;
    float *values = piece_room(e, e->count, sizeof *values, err);
    bool ok = values != NULL;
    philox p = { .seed = seed, .step = 0, .stream = philox_stream(e->name) };
    for (int64_t first = 0, now; ok && first < e->count; first += now) {
        now = piece(e->count - first);
        draw(s, e, &p, first, now, values);
        ok = store_write_part_f32(s, e, first, now, values, err);
    }
    free(values);
    return ok;
}

/* Gives entries first..last-1 one buffer of `bytes`. */
static bool allocate_range(store *s, int first, int last, int64_t bytes, error *err)
{
    device_buffer **buffers = realloc(s->buffers, (size_t)(s->buffer_count + 1) * sizeof *buffers);
    if (!buffers) return error_set(err, ERROR_MEMORY, "out of memory for the store's buffer list");
    s->buffers = buffers;
    device_buffer *b = device_buffer_create(s->device, bytes, err);
    if (!b) return error_prefix(err, "parameters and their state");
    s->buffers[s->buffer_count++] = b;
    int64_t at = 0;
    for (int i = first; i < last; ++i) {
        store_entry *e = s->entries[i];
        if (e->buffer) continue;
        e->buffer = b;
        e->offset = at / (int64_t)dtype_bytes(e->type);
        at += store_entry_bytes(e);
    }
    return true;
}

void store_await_values(store *s)
{
    s->awaits_values = true;
}

void store_set_weight_type(store *s, dtype type)
{
    s->weight_type = type;
}

dtype store_weight_type(const store *s)
{
    return s->weight_type;
}

void store_set_trained_type(store *s, dtype type)
{
    s->trained_type = type;
}

dtype store_trained_type(const store *s)
{
    return s->trained_type;
}

void store_set_ranks(store *s, int ranks)
{
    s->ranks = ranks;
}

int store_ranks(const store *s)
{
    return s->ranks;
}

bool store_allocate(store *s, uint64_t seed, error *err)
{
    int64_t limit = device_get_info(s->device)->max_buffer_bytes, bytes = 0;
    int first = 0;
    bool *fresh = calloc((size_t)s->count + 1, sizeof *fresh);
    if (!fresh) return error_set(err, ERROR_MEMORY, "out of memory for the store's allocation");
    bool ok = true;
    for (int i = 0; i < s->count && ok; ++i) {
        store_entry *e = s->entries[i];
        if (e->buffer) continue;
        fresh[i] = true;
        int64_t own = store_entry_bytes(e);
        if (own > limit)
            ok = error_set(
                err, ERROR_ROOM,
                "'%s' needs %lld bytes, the device's largest buffer is %lld; choose another --device, or a "
                "smaller model",
                e->name, (long long)own, (long long)limit);
        if (ok && bytes + own > limit) {
            ok = allocate_range(s, first, i, bytes, err);
            first = i;
            bytes = 0;
        }
        bytes += own;
    }
    if (ok && bytes) ok = allocate_range(s, first, s->count, bytes, err);
    for (int i = 0; i < s->count && ok; ++i)
        if (fresh[i]) ok = initialise(s, s->entries[i], seed, err);
    free(fresh);
    return ok;
}

/* ---- Host copies ---- */

/* Where the part begins in the buffer; its size. */
static int64_t part_at(const store_entry *e, int64_t first, int64_t count, int64_t *bytes)
{
    CHECK(e->buffer, "'%s' has no memory yet", e->name);
    CHECK(first >= 0 && count >= 0 && first <= e->count - count,
          "elements %lld to %lld of '%s', which has %lld", (long long)first, (long long)(first + count),
          e->name, (long long)e->count);
    *bytes = count * (int64_t)dtype_bytes(e->type);
    return (e->offset + first) * (int64_t)dtype_bytes(e->type);
}

bool store_write_part(store *s, store_entry *e, int64_t first, int64_t count, const void *values, error *err)
{
    int64_t bytes, at = part_at(e, first, count, &bytes);
    return device_write(s->device, e->buffer, at, values, bytes, err);
}

bool store_read_part(store *s, const store_entry *e, int64_t first, int64_t count, void *values, error *err)
{
    int64_t bytes, at = part_at(e, first, count, &bytes);
    return device_read(s->device, e->buffer, at, values, bytes, err);
}

bool store_write(store *s, store_entry *e, const void *values, error *err)
{
    return store_write_part(s, e, 0, e->count, values, err);
}

bool store_read(store *s, const store_entry *e, void *values, error *err)
{
    return store_read_part(s, e, 0, e->count, values, err);
}

bool store_write_part_f32(store *s, store_entry *e, int64_t first, int64_t count, const float *values,
                          error *err)
{
    if (e->type == DTYPE_F32) return store_write_part(s, e, first, count, values, err);
    void *converted = piece_room(e, count, dtype_bytes(e->type), err);
    bool ok = converted != NULL;
    for (int64_t done = 0, now; ok && done < count; done += now) {
        now = piece(count - done);
        dtype_convert(e->type, converted, DTYPE_F32, values + done, now);
        ok = store_write_part(s, e, first + done, now, converted, err);
    }
    free(converted);
    return ok;
}

bool store_read_part_f32(store *s, const store_entry *e, int64_t first, int64_t count, float *values,
                         error *err)
{
    if (e->type == DTYPE_F32) return store_read_part(s, e, first, count, values, err);
    void *stored = piece_room(e, count, dtype_bytes(e->type), err);
    bool ok = stored != NULL;
    for (int64_t done = 0, now; ok && done < count; done += now) {
        now = piece(count - done);
        ok = store_read_part(s, e, first + done, now, stored, err);
        if (ok) dtype_convert(DTYPE_F32, values + done, e->type, stored, now);
    }
    free(stored);
    return ok;
}

bool store_write_f32(store *s, store_entry *e, const float *values, error *err)
{
    return store_write_part_f32(s, e, 0, e->count, values, err);
}

bool store_read_f32(store *s, const store_entry *e, float *values, error *err)
{
    return store_read_part_f32(s, e, 0, e->count, values, err);
}

bool store_copy(store *s, store_entry *to, const store_entry *from, error *err)
{
    CHECK(to->count == from->count, "'%s' has not as many values as '%s'", to->name, from->name);
    float *values = piece_room(from, from->count, sizeof *values, err);
    bool ok = values != NULL;
    for (int64_t first = 0, now; ok && first < from->count; first += now) {
        now = piece(from->count - first);
        ok = store_read_part_f32(s, from, first, now, values, err) &&
             store_write_part_f32(s, to, first, now, values, err);
    }
    free(values);
    return ok;
}

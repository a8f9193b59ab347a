/* pieces.c -- see pieces.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/pieces.h"

#include "host/train/gather.h"

#include <stdlib.h>
#include <string.h>

typedef struct pieces {
    gather_group gathering; /* within graphs */
    comm *group, *across;   /* across NULL: there is one group */
    int count, place;
} pieces;

static pieces *pieces_of(const store *s)
{
    const split *how = store_split(s);
    return how ? how->self : NULL;
}

comm *pieces_group(const store *s)
{
    const pieces *p = pieces_of(s);
    return p ? p->group : NULL;
}

comm *pieces_alike(const store *s, const store_entry *e, comm *all)
{
    return split_axis(e) < 0 ? all : pieces_of(s)->across;
}

comm *pieces_across(const store *s, comm *all)
{
    return pieces_of(s) ? pieces_of(s)->across : all;
}

bool pieces_serves(const store *s, const comm *all)
{
    const pieces *p = pieces_of(s);
    return p && comm_rank(all) > 0 && comm_rank(all) < p->count;
}

static tensor *append_gather(void *self, tensor *x, int axis)
{
    return gather_whole(&((pieces *)self)->gathering, x, axis);
}

static void settle(void *self)
{
    gather_settle(&((pieces *)self)->gathering);
}

/* ---- Opening ---- */

static void close_pieces(void *self)
{
    pieces *p = self;
    settle(p);
    comm_close(p->group);
    comm_close(p->across);
    free(p);
}

bool pieces_open(store *s, comm *c, int count, error *err)
{
    if (count <= 1 || store_split(s)) return true;
    pieces *p = calloc(1, sizeof *p);
    if (!p) return error_set(err, ERROR_MEMORY, "out of memory for groups of ranks");
    if (!c || !comm_group(c, count, &p->group, err) || !comm_across(c, count, &p->across, err)) {
        if (!c)
            error_set(err, ERROR_USAGE,
                      "one rank is no group of %d shards: use shards=1; plan takes --ranks, too", count);
        close_pieces(p);
        return false;
    }
    p->count = count;
    p->place = comm_rank(p->group);
    p->gathering = (gather_group){ .comm = p->group, .count = count, .place = p->place };
    const split how = { .count = count,
                        .place = p->place,
                        .self = p,
                        .whole = append_gather,
                        .settle = settle,
                        .close = close_pieces };
    store_set_split(s, &how);
    store_set_ranks(s, comm_count(p->across));
    return true;
}

/* ---- Wholes, between steps ---- */

typedef enum wish { DISMISS, READ, WRITE } wish;

/* What rank 0 asks of its group. */
typedef struct request {
    int64_t what, entry, first, count;
} request;

static bool ask(store *s, wish what, const store_entry *e, int64_t first, int64_t count, error *err)
{
    request r = { what, 0, first, count };
    while (e && store_at(s, (int)r.entry) != e) ++r.entry;
    return comm_broadcast(pieces_group(s), &r, sizeof r, 0, err);
}

static void *room_of(int64_t bytes, const store_entry *e, error *err)
{
    void *room = malloc((size_t)bytes + 1);
    if (!room) return error_null(err, ERROR_MEMORY, "out of memory for values of '%s'", e->name);
    return room;
}

/* Bytes of each rank's part of a range. */
static void parts_of(const store *s, const store_entry *e, int64_t first, int64_t count, int64_t *bytes)
{
    for (int r = 0; r < store_split(s)->count; ++r)
        bytes[r] = (split_before(s, e, r, first + count) - split_before(s, e, r, first)) *
                   (int64_t)dtype_bytes(e->type);
}

/* From pieces' parts, one behind the other, to the whole's range. */
static void merge(const store *s, const store_entry *e, int64_t first, int64_t count, const char *parts,
                  const int64_t *bytes, char *values)
{
    const int64_t size = (int64_t)dtype_bytes(e->type), run = split_run(e);
    for (int r = 0; r < store_split(s)->count; parts += bytes[r++]) {
        const char *from = parts;
        for (int64_t at = first; at < first + count;) {
            const int64_t end = (at / run + 1) * run < first + count ? (at / run + 1) * run : first + count;
            if (at / run % store_split(s)->count == r) {
                memcpy(values + (at - first) * size, from, (size_t)((end - at) * size));
                from += (end - at) * size;
            }
            at = end;
        }
    }
}

/* All of the group at once; `values` on rank 0. */
static bool read_together(store *s, const store_entry *e, int64_t first, int64_t count, void *values,
                          error *err)
{
    const pieces *p = pieces_of(s);
    const int64_t size = (int64_t)dtype_bytes(e->type), local = split_before(s, e, p->place, first);
    int64_t *bytes = room_of(p->count * (int64_t)sizeof *bytes, e, err);
    char *parts = bytes ? room_of(count * size, e, err) : NULL, *mine = parts;
    bool ok = parts != NULL;
    if (ok) parts_of(s, e, first, count, bytes);
    for (int r = 0; ok && r < p->place; ++r) mine += bytes[r];
    ok = ok && store_read_part(s, e, local, bytes[p->place] / size, mine, err) &&
         comm_gather(p->group, mine, parts, bytes, err);
    if (ok && values) merge(s, e, first, count, parts, bytes, values);
    free(parts);
    free(bytes);
    return ok;
}

/* The same; `values` are rank 0's, of the entry's type. */
static bool write_together(store *s, store_entry *e, int64_t first, int64_t count, void *values, error *err)
{
    const pieces *p = pieces_of(s);
    const int64_t size = (int64_t)dtype_bytes(e->type), local = split_before(s, e, p->place, first),
                  own = split_before(s, e, p->place, first + count) - local, run = split_run(e);
    char *mine = room_of(own * size, e, err);
    bool ok = mine && comm_broadcast(p->group, values, count * size, 0, err);
    for (int64_t i = 0, now; ok && i < own; i += now) {
        now = run - (local + i) % run < own - i ? run - (local + i) % run : own - i;
        memcpy(mine + i * size, (const char *)values + (split_index(s, e, local + i) - first) * size,
               (size_t)(now * size));
    }
    ok = ok && store_write_part(s, e, local, own, mine, err);
    free(mine);
    return ok;
}

bool pieces_read(store *s, const store_entry *e, int64_t first, int64_t count, void *values, error *err)
{
    if (split_axis(e) < 0) return store_read_part(s, e, first, count, values, err);
    return ask(s, READ, e, first, count, err) && read_together(s, e, first, count, values, err);
}

bool pieces_read_f32(store *s, const store_entry *e, int64_t first, int64_t count, float *values, error *err)
{
    if (split_axis(e) < 0) return store_read_part_f32(s, e, first, count, values, err);
    void *stored = room_of(count * (int64_t)dtype_bytes(e->type), e, err);
    bool ok = stored && pieces_read(s, e, first, count, stored, err);
    if (ok) dtype_convert(DTYPE_F32, values, e->type, stored, count);
    free(stored);
    return ok;
}

bool pieces_write(store *s, store_entry *e, int64_t first, int64_t count, const void *values, error *err)
{
    if (split_axis(e) < 0) return store_write_part(s, e, first, count, values, err);
    const int64_t size = (int64_t)dtype_bytes(e->type);
    for (int64_t done = 0, now; done < count; done += now) {
        now = count - done < STORE_PIECE ? count - done : STORE_PIECE;
        void *sent = room_of(now * size, e, err);
        if (sent) memcpy(sent, (const char *)values + done * size, (size_t)(now * size));
        bool ok = sent && ask(s, WRITE, e, first + done, now, err) &&
                  write_together(s, e, first + done, now, sent, err);
        free(sent);
        if (!ok) return false;
    }
    return true;
}

bool pieces_write_f32(store *s, store_entry *e, int64_t first, int64_t count, const float *values, error *err)
{
    if (split_axis(e) < 0) return store_write_part_f32(s, e, first, count, values, err);
    void *stored = room_of(count * (int64_t)dtype_bytes(e->type), e, err);
    if (stored) dtype_convert(e->type, stored, DTYPE_F32, values, count);
    bool ok = stored && pieces_write(s, e, first, count, stored, err);
    free(stored);
    return ok;
}

static bool copy_entry(store *from, const store_entry *e, store *to, store_entry *whole, float *values,
                       error *err)
{
    if (split_count(from, e) != whole->count)
        return error_set(err, ERROR_MODEL, "'%s' has %lld values, and elsewhere %lld", e->name,
                         (long long)split_count(from, e), (long long)whole->count);
    for (int64_t first = 0, now; first < whole->count; first += now) {
        now = whole->count - first < STORE_PIECE ? whole->count - first : STORE_PIECE;
        if (!pieces_read_f32(from, e, first, now, values, err) ||
            !store_write_part_f32(to, whole, first, now, values, err))
            return false;
    }
    return true;
}

bool pieces_copy(store *from, bool averages, store *to, error *err)
{
    float *values = malloc(STORE_PIECE * sizeof *values);
    bool ok = values ? true : error_set(err, ERROR_MEMORY, "out of memory for parameters that are whole");
    for (int i = 0; ok && i < store_count(to); ++i) {
        store_entry *whole = store_at(to, i);
        if (whole->kind != STORE_PARAMETER && whole->kind != STORE_LEARNT) continue;
        const store_entry *e = store_find(from, whole->name),
                          *average = e && averages ? store_kin(e, STORE_AVERAGE) : NULL;
        ok = e ? copy_entry(from, average ? average : e, to, whole, values, err)
               : error_set(err, ERROR_MODEL, "there is no '%s' to copy", whole->name);
    }
    free(values);
    return ok;
}

static bool take(store *s, const request *r, error *err)
{
    store_entry *e = store_at(s, (int)r->entry);
    void *values = room_of(r->count * (int64_t)dtype_bytes(e->type), e, err);
    bool ok = values && write_together(s, e, r->first, r->count, values, err);
    free(values);
    return ok;
}

bool pieces_serve(store *s, const comm *all, error *err)
{
    while (pieces_serves(s, all)) {
        request r = { 0 };
        if (!comm_broadcast(pieces_group(s), &r, sizeof r, 0, err)) return false;
        if (r.what == DISMISS) return true;
        if (!(r.what == READ ? read_together(s, store_at(s, (int)r.entry), r.first, r.count, NULL, err)
                             : take(s, &r, err)))
            return false;
    }
    return true;
}

bool pieces_dismiss(store *s, error *err)
{
    return !pieces_of(s) || ask(s, DISMISS, NULL, 0, 0, err);
}

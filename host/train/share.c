/* share.c -- see share.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/share.h"

#include "host/train/pieces.h"
#include "host/train/powersgd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAGS_MAX = 8, COMPLAINT = 600 };

static bool share_piece(comm *c, store *s, store_entry *e, int64_t first, int64_t count, void *room,
                        error *err)
{
    int64_t bytes = count * (int64_t)dtype_bytes(e->type);
    bool mine = comm_rank(c) == 0;
    return (!mine || store_read_part(s, e, first, count, room, err)) &&
           comm_broadcast(c, room, bytes, 0, err) &&
           (mine || store_write_part(s, e, first, count, room, err));
}

static bool is_shared(const store_entry *e)
{
    return e->buffer && e->kind != STORE_CACHE && e->kind != STORE_SUM && e->kind != STORE_CONTROL &&
           e->kind != STORE_FIXED;
}

bool share_store(comm *c, store *s, error *err)
{
    if (!c) return true;
    char *room = malloc(STORE_PIECE * sizeof(float));
    bool ok = room ? true : error_set(err, ERROR_MEMORY, "out of memory for what ranks are given");
    for (int i = 0; ok && i < store_count(s); ++i) {
        store_entry *e = store_at(s, i);
        comm *alike = pieces_alike(s, e, c);
        for (int64_t first = 0; ok && alike && is_shared(e) && first < e->count; first += STORE_PIECE)
            ok = share_piece(alike, s, e, first,
                             e->count - first < STORE_PIECE ? e->count - first : STORE_PIECE, room, err);
    }
    free(room);
    return ok;
}

bool share_saved(comm *c, store *s, error *err)
{
    return powersgd_settle(s, c, err) && share_store(c, s, err);
}

bool share_numbers(comm *c, int64_t *numbers, int count, error *err)
{
    return comm_broadcast(c, numbers, count * (int64_t)sizeof *numbers, 0, err);
}

bool share_text(comm *c, char **text, error *err)
{
    if (!c) return true;
    int64_t size = comm_rank(c) == 0 ? (int64_t)strlen(*text) + 1 : 0;
    if (!share_numbers(c, &size, 1, err)) return false;
    if (comm_rank(c) > 0) {
        free(*text);
        if (!(*text = malloc((size_t)size)))
            return error_set(err, ERROR_MEMORY, "out of memory for %lld bytes from rank 0", (long long)size);
    }
    return comm_broadcast(c, *text, size, 0, err);
}

bool share_any(comm *c, bool *flags, int count, error *err)
{
    float sums[FLAGS_MAX];
    CHECK(count <= FLAGS_MAX, "%d flags", count);
    for (int i = 0; i < count; ++i) sums[i] = flags[i];
    if (!comm_sum(c, DTYPE_F32, sums, count, err)) return false;
    for (int i = 0; i < count; ++i) flags[i] = sums[i] > 0;
    return true;
}

bool share_complaint(comm *c, const char *mine, error *err)
{
    int64_t ranks = comm_count(c);
    char *all = calloc((size_t)ranks, COMPLAINT), own[COMPLAINT] = "";
    int64_t *bytes = malloc((size_t)ranks * sizeof *bytes);
    bool ok = all && bytes
                  ? true
                  : error_set(err, ERROR_MEMORY, "out of memory for what %lld ranks say", (long long)ranks);
    if (mine) snprintf(own, sizeof own, "%s", mine);
    for (int64_t r = 0; ok && r < ranks; ++r) bytes[r] = COMPLAINT;
    ok = ok && comm_gather(c, own, all, bytes, err);
    for (int64_t r = 0; ok && r < ranks; ++r)
        if (all[r * COMPLAINT]) ok = error_set(err, ERROR_USAGE, "%s", all + r * COMPLAINT);
    free(all);
    free(bytes);
    return ok;
}

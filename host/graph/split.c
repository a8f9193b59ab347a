/* split.c -- see split.h.  The whole is rows of as many runs as there are pieces: run r of each row belongs
 * to piece r. Split along its first axis it is one row.
 * SPDX-License-Identifier: MIT */
#include "host/graph/split.h"

#include <stdlib.h>
#include <string.h>

static int pieces_of(const store *s, const store_entry *e)
{
    return split_axis(e) < 0 ? 1 : store_split(s)->count;
}

void split_sizes(const store *s, const store_entry *e, int64_t dim[TENSOR_RANK_MAX])
{
    for (int i = 0; i < e->rank; ++i) dim[i] = e->dim[i];
    if (split_axis(e) >= 0) dim[split_axis(e)] *= pieces_of(s, e);
}

int64_t split_count(const store *s, const store_entry *e)
{
    return e->count * pieces_of(s, e);
}

int64_t split_run(const store_entry *e)
{
    int64_t run = 1;
    for (int i = split_axis(e) < 0 ? 0 : split_axis(e); i < e->rank; ++i) run *= e->dim[i];
    return run;
}

int64_t split_before(const store *s, const store_entry *e, int place, int64_t index)
{
    if (split_axis(e) < 0) return index;
    const int64_t run = split_run(e), row = run * pieces_of(s, e), rest = index % row - run * place;
    return index / row * run + (rest < 0 ? 0 : rest < run ? rest : run);
}

int64_t split_index(const store *s, const store_entry *e, int64_t local)
{
    if (split_axis(e) < 0) return local;
    const int64_t run = split_run(e);
    return (local / run * pieces_of(s, e) + store_split(s)->place) * run + local % run;
}

int64_t split_stretch(const store_entry *e, int64_t local, int64_t count)
{
    const int64_t left = split_axis(e) < 0 ? count : split_run(e) - local % split_run(e);
    return left < count ? left : count;
}

/* Those of `values`, which begin with the whole's element `first`, that belong to the piece. */
static void pick(const store *s, const store_entry *e, int64_t first, int64_t local, int64_t count,
                 const float *values, float *own)
{
    for (int64_t i = 0, now; i < count; i += now) {
        now = split_stretch(e, local + i, count - i);
        memcpy(own + i, values + split_index(s, e, local + i) - first, (size_t)now * sizeof *own);
    }
}

bool split_write_f32(store *s, store_entry *e, int64_t first, int64_t count, const float *values, error *err)
{
    if (split_axis(e) < 0) return store_write_part_f32(s, e, first, count, values, err);
    const int place = store_split(s)->place;
    const int64_t local = split_before(s, e, place, first),
                  own = split_before(s, e, place, first + count) - local;
    float *mine = malloc((size_t)own * sizeof *mine + 1);
    if (!mine) return error_set(err, ERROR_MEMORY, "out of memory for a piece of '%s'", e->name);
    pick(s, e, first, local, own, values, mine);
    bool ok = store_write_part_f32(s, e, local, own, mine, err);
    free(mine);
    return ok;
}

static size_t block_name(const char *name)
{
    size_t digit = strcspn(name, "0123456789");
    return name[digit] ? digit + strcspn(name + digit, ".") : digit;
}

bool split_together(const char *a, const char *b)
{
    return block_name(a) == block_name(b) && !strncmp(a, b, block_name(a));
}

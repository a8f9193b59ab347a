/* collectives.c -- sums and gatherings of comm.h, from passes between two ranks.
 * A sum has one owner for each part of what is summed: all others send it that part, it adds them up in the
 * order of ranks, and sends the result to all.  So a rank sends 2 (N - 1) / N of it, whatever N, and no sum
 * depends on which message came first.  In step s each rank sends to the one s above it and receives from the
 * one s below.
 * SPDX-License-Identifier: MIT */
#include "host/comm/internal.h"

#include <stdlib.h>
#include <string.h>

/* At once in one sum, which bounds the memory that it takes. */
#define SLICE (int64_t)(1 << 20)

static int above(const comm *c, int steps)
{
    return (c->rank + steps) % c->count;
}

static int below(const comm *c, int steps)
{
    return (c->rank - steps + c->count) % c->count;
}

/* Nothing is sent where there is nothing to send: both ranks know the sizes. */
static bool pass_step(comm *c, int step, const void *out, int64_t out_bytes, void *in, int64_t in_bytes,
                      error *err)
{
    if (!out_bytes && !in_bytes) return true;
    return comm_pass(c, out_bytes ? above(c, step) : -1, out, out_bytes, in_bytes ? below(c, step) : -1, in,
                     in_bytes, err);
}

static int64_t offset_of(const int64_t *sizes, int rank)
{
    int64_t sum = 0;
    for (int r = 0; r < rank; ++r) sum += sizes[r];
    return sum;
}

/* ---- Gathering ---- */

typedef struct gathering {
    comm *comm;
    const void *part;
    char *whole;
    const int64_t *bytes;
} gathering;

static bool gather(void *self, error *err)
{
    const gathering *a = self;
    comm *c = a->comm;
    char *mine = a->whole + offset_of(a->bytes, c->rank);
    if (a->part != mine) memcpy(mine, a->part, (size_t)a->bytes[c->rank]);
    for (int s = 1; s < c->count; ++s) {
        int from = below(c, s);
        if (!pass_step(c, s, mine, a->bytes[c->rank], a->whole + offset_of(a->bytes, from), a->bytes[from],
                       err))
            return false;
    }
    return true;
}

bool comm_gather(comm *c, const void *part, void *whole, const int64_t *bytes, error *err)
{
    if (!c) {
        if (part != whole) memcpy(whole, part, (size_t)bytes[0]);
        return true;
    }
    gathering a = { c, part, whole, bytes };
    return comm_do(c, gather, &a, err);
}

/* ---- Sums ---- */

/* One part of what is summed, as its owner sees it: `count` values, of each rank. */
typedef struct summand {
    dtype type;
    int64_t count;
    char *of_ranks; /* [ranks][count] of the type; this rank's own is not among them */
    float *sum, *next;
} summand;

static void summand_free(summand *s)
{
    free(s->of_ranks);
    free(s->sum);
    free(s->next);
}

static bool summand_allocate(const comm *c, dtype type, int64_t count, summand *s, error *err)
{
    size_t some = (size_t)(count ? count : 1);
    *s = (summand){ type, count, malloc(some * dtype_bytes(type) * (size_t)c->count),
                    malloc(some * sizeof(float)), malloc(some * sizeof(float)) };
    if (s->of_ranks && s->sum && s->next) return true;
    summand_free(s);
    return error_set(err, ERROR_MEMORY, "out of memory for a sum of %lld values over %d ranks",
                     (long long)count, c->count);
}

static void add_up(const comm *c, summand *s, const void *mine)
{
    const int64_t bytes = s->count * (int64_t)dtype_bytes(s->type);
    for (int r = 0; r < c->count; ++r) {
        const void *of = r == c->rank ? mine : s->of_ranks + r * bytes;
        float *into = r ? s->next : s->sum;
        if (s->type == DTYPE_F32)
            memcpy(into, of, (size_t)bytes);
        else
            dtype_convert(DTYPE_F32, into, s->type, of, s->count);
        for (int64_t i = 0; r && i < s->count; ++i) s->sum[i] += s->next[i];
    }
}

/* whole: counts[r] values for rank r, one behind the other.  s->sum is then that of this rank's. */
static bool scatter_sum(comm *c, const char *whole, const int64_t *counts, summand *s, error *err)
{
    const int64_t size = (int64_t)dtype_bytes(s->type);
    for (int step = 1; step < c->count; ++step) {
        int to = above(c, step), from = below(c, step);
        if (!pass_step(c, step, whole + offset_of(counts, to) * size, counts[to] * size,
                       s->of_ranks + from * s->count * size, s->count * size, err))
            return false;
    }
    add_up(c, s, whole + offset_of(counts, c->rank) * size);
    return true;
}

static void split_evenly(const comm *c, int64_t count, int64_t *counts)
{
    for (int r = 0; r < c->count; ++r) counts[r] = count / c->count + (r < count % c->count);
}

static bool sum_slice(comm *c, dtype type, char *values, int64_t count, int64_t *counts, error *err)
{
    split_evenly(c, count, counts);
    const int64_t size = (int64_t)dtype_bytes(type), mine = offset_of(counts, c->rank);
    summand s;
    if (!summand_allocate(c, type, counts[c->rank], &s, err)) return false;
    bool ok = scatter_sum(c, values, counts, &s, err);
    if (ok) dtype_convert(type, values + mine * size, DTYPE_F32, s.sum, s.count);
    summand_free(&s);
    for (int r = 0; r < c->count; ++r) counts[r] *= size;
    gathering a = { c, values + mine * size, values, counts };
    return ok && gather(&a, err);
}

typedef struct summing {
    comm *comm;
    dtype type;
    char *values;
    int64_t count;
    const float *whole; /* comm_sum_part */
    float *part;
    const int64_t *counts;
} summing;

static bool sum(void *self, error *err)
{
    const summing *a = self;
    int64_t *counts = malloc((size_t)a->comm->count * sizeof *counts);
    bool ok =
        counts ? true : error_set(err, ERROR_MEMORY, "out of memory for a sum over %d ranks", a->comm->count);
    for (int64_t first = 0; ok && first < a->count; first += SLICE) {
        int64_t some = a->count - first < SLICE ? a->count - first : SLICE;
        ok =
            sum_slice(a->comm, a->type, a->values + first * (int64_t)dtype_bytes(a->type), some, counts, err);
    }
    free(counts);
    return ok;
}

bool comm_sum(comm *c, dtype type, void *values, int64_t count, error *err)
{
    summing a = { .comm = c, .type = type, .values = values, .count = count };
    return !c || comm_do(c, sum, &a, err);
}

static bool sum_part(void *self, error *err)
{
    const summing *a = self;
    comm *c = a->comm;
    summand s;
    if (!summand_allocate(c, DTYPE_F32, a->counts[c->rank], &s, err)) return false;
    bool ok = scatter_sum(c, (const char *)a->whole, a->counts, &s, err);
    if (ok) memcpy(a->part, s.sum, (size_t)s.count * sizeof *s.sum);
    summand_free(&s);
    return ok;
}

bool comm_sum_part(comm *c, const float *whole, float *part, const int64_t *counts, error *err)
{
    if (!c) {
        memmove(part, whole, (size_t)counts[0] * sizeof *part);
        return true;
    }
    summing a = { .comm = c, .whole = whole, .part = part, .counts = counts };
    return comm_do(c, sum_part, &a, err);
}

/* ---- One to all ---- */

typedef struct telling {
    comm *comm;
    void *bytes;
    int64_t count;
    int from;
} telling;

/* Down a tree: in each round those that have it send it to as many that have not. */
static bool tell(void *self, error *err)
{
    const telling *a = self;
    comm *c = a->comm;
    int place = (c->rank - a->from + c->count) % c->count;
    for (int have = 1; have < c->count; have *= 2) {
        int to = place < have && place + have < c->count ? (c->rank + have) % c->count : -1;
        int from = place >= have && place < 2 * have ? (c->rank - have + c->count) % c->count : -1;
        if ((to >= 0 || from >= 0) && !comm_pass(c, to, a->bytes, a->count, from, a->bytes, a->count, err))
            return false;
    }
    return true;
}

bool comm_broadcast(comm *c, void *bytes, int64_t count, int from, error *err)
{
    telling a = { c, bytes, count, from };
    return !c || comm_do(c, tell, &a, err);
}

static bool meet(void *self, error *err)
{
    comm *c = self;
    char mine = 0, theirs = 0;
    for (int s = 1; s < c->count; s *= 2)
        if (!comm_pass(c, above(c, s), &mine, 1, below(c, s), &theirs, 1, err)) return false;
    return true;
}

bool comm_barrier(comm *c, error *err)
{
    return !c || comm_do(c, meet, c, err);
}

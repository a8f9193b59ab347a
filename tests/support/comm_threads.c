/* comm_threads.c -- see comm_threads.h: a mailbox for each pair of ranks, of one message.
 * SPDX-License-Identifier: MIT */
#include "tests/support/comm_threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MAX = 16 };

/* What the sender offers until the receiver has copied it. */
typedef struct box {
    const void *bytes;
    int64_t count;
} box;

typedef struct world {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    box boxes[RANKS_MAX][RANKS_MAX];
    int ended; /* 1 + the rank that did before its time; 0: none */
    error why;
} world;

typedef struct member {
    world *world;
    int rank, count;
    comm_threads_run run;
    void *self;
    bool ok;
    error err;
    pthread_t thread;
} member;

static comm_threads_watcher watch;
static void *watched;

void comm_threads_watch(comm_threads_watcher watcher, void *self)
{
    watch = watcher;
    watched = self;
}

static const char *host_of(void *self, int rank)
{
    (void)self, (void)rank;
    return "this process";
}

static bool copy_in(box *b, void *in, int64_t bytes, error *err)
{
    if (b->count != bytes)
        return error_set(err, ERROR_IO, "a message of %lld bytes where %lld are expected",
                         (long long)b->count, (long long)bytes);
    memcpy(in, b->bytes, (size_t)bytes);
    return true;
}

static bool pass(void *self, int to, const void *out, int64_t out_bytes, int from, void *in, int64_t in_bytes,
                 error *err)
{
    member *m = self;
    world *w = m->world;
    bool ok = true, received = from < 0;
    if (watch) watch(watched, m->rank);
    pthread_mutex_lock(&w->lock);
    box *mine = to >= 0 ? &w->boxes[m->rank][to] : NULL,
        *theirs = from >= 0 ? &w->boxes[from][m->rank] : NULL;
    if (mine) *mine = (box){ out, out_bytes };
    pthread_cond_broadcast(&w->changed);
    while (ok && (!received || (mine && mine->bytes))) {
        if (!received && theirs->bytes) {
            ok = copy_in(theirs, in, in_bytes, err);
            theirs->bytes = NULL;
            received = true;
            pthread_cond_broadcast(&w->changed);
        } else if (w->ended) {
            ok = error_set(err, ERROR_IO, "rank %d on this process ended: %s", w->ended - 1, w->why.message);
        } else {
            pthread_cond_wait(&w->changed, &w->lock);
        }
    }
    if (!ok && mine) mine->bytes = NULL; /* the caller may free them */
    pthread_mutex_unlock(&w->lock);
    return ok;
}

static void close_way(void *self, const char *why)
{
    member *m = self;
    pthread_mutex_lock(&m->world->lock);
    if (why && !m->world->ended) {
        m->world->ended = m->rank + 1;
        error_set(&m->world->why, ERROR_IO, "%s", why);
    }
    pthread_cond_broadcast(&m->world->changed);
    pthread_mutex_unlock(&m->world->lock);
}

static void *live(void *context)
{
    member *m = context;
    const comm_transport way = { m->rank, m->count, m, host_of, pass, close_way };
    comm *c = m->count > 1 ? comm_open(&way, &m->err) : NULL;
    m->ok = (c || m->count <= 1) && m->run(c, m->self, &m->err);
    if (m->ok)
        comm_close(c);
    else
        comm_abandon(c, &m->err);
    return NULL;
}

bool comm_threads(int ranks, comm_threads_run run, void *const *selves, error *err)
{
    CHECK(ranks >= 1 && ranks <= RANKS_MAX, "%d ranks", ranks);
    world w = { .ended = 0 };
    member members[RANKS_MAX];
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.changed, NULL);
    for (int r = 0; r < ranks; ++r) {
        members[r] =
            (member){ .world = &w, .rank = r, .count = ranks, .run = run, .self = selves ? selves[r] : NULL };
        CHECK(!pthread_create(&members[r].thread, NULL, live, &members[r]), "rank %d", r);
    }
    for (int r = 0; r < ranks; ++r) pthread_join(members[r].thread, NULL);
    bool ok = true;
    for (int r = ranks - 1; r >= 0; --r) ok = members[r].ok && ok;
    int first = w.ended ? w.ended - 1 : 0;
    while (!ok && first < ranks && members[first].ok) ++first;
    if (!ok && err) *err = members[first].err;
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.changed);
    return ok;
}

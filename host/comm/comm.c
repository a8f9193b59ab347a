/* comm.c -- see comm.h: the thread that talks to other ranks, and the queue of what it is to do.
 * SPDX-License-Identifier: MIT */
#include "host/comm/internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct comm_job {
    comm_engine *engine; /* NULL: done at once */
    bool (*run)(void *self, error *err);
    void *self;
    bool done, ok;
    error why;
    comm_job *next;
};

struct comm_engine {
    comm_transport way;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t asked, answered;
    comm_job *first, **last;
    bool closing, failed;
    error why; /* of the first failure: all that follows fails alike */
    atomic_llong bytes_sent;
};

/* ---- The thread ---- */

static void fail(comm_engine *e, const error *why)
{
    pthread_mutex_lock(&e->lock);
    if (!e->failed) e->why = *why;
    e->failed = true;
    pthread_mutex_unlock(&e->lock);
}

/* The next job, or NULL when there will be none. */
static comm_job *next_job(comm_engine *e)
{
    pthread_mutex_lock(&e->lock);
    while (!e->first && !e->closing) pthread_cond_wait(&e->asked, &e->lock);
    comm_job *j = e->first;
    if (j && !(e->first = j->next)) e->last = &e->first;
    pthread_mutex_unlock(&e->lock);
    return j;
}

static void do_job(comm_engine *e, comm_job *j)
{
    j->ok = !e->failed && j->run(j->self, &j->why);
    if (e->failed) j->why = e->why;
    pthread_mutex_lock(&e->lock);
    j->done = true;
    pthread_cond_broadcast(&e->answered);
    pthread_mutex_unlock(&e->lock);
}

static void *serve(void *context)
{
    comm_engine *e = context;
    for (comm_job *j; (j = next_job(e));) do_job(e, j);
    return NULL;
}

/* ---- Jobs ---- */

comm_job *comm_begin(comm *c, bool (*run)(void *self, error *err), void *self, error *err)
{
    comm_job *j = calloc(1, sizeof *j);
    if (!j) return error_null(err, ERROR_MEMORY, "out of memory for what ranks are to do");
    *j = (comm_job){ .engine = c ? c->engine : NULL, .run = run, .self = self };
    if (!c) {
        j->ok = run(self, &j->why);
        return j;
    }
    pthread_mutex_lock(&c->engine->lock);
    *c->engine->last = j;
    c->engine->last = &j->next;
    pthread_cond_signal(&c->engine->asked);
    pthread_mutex_unlock(&c->engine->lock);
    return j;
}

bool comm_end(comm_job *job, error *err)
{
    if (!job) return true;
    comm_engine *e = job->engine;
    if (e) {
        pthread_mutex_lock(&e->lock);
        while (!job->done) pthread_cond_wait(&e->answered, &e->lock);
        pthread_mutex_unlock(&e->lock);
    }
    bool ok = job->ok;
    if (!ok && err) *err = job->why;
    free(job);
    return ok;
}

bool comm_is_over(comm_job *job)
{
    comm_engine *e = job->engine;
    if (!e) return true;
    pthread_mutex_lock(&e->lock);
    bool over = job->done;
    pthread_mutex_unlock(&e->lock);
    return over;
}

bool comm_do(comm *c, bool (*run)(void *self, error *err), void *self, error *err)
{
    if (!c || pthread_equal(pthread_self(), c->engine->thread)) return run(self, err);
    comm_job *j = comm_begin(c, run, self, err);
    return j && comm_end(j, err);
}

bool comm_pass(comm *c, int to, const void *out, int64_t out_bytes, int from, void *in, int64_t in_bytes,
               error *err)
{
    comm_engine *e = c->engine;
    int whole_to = to < 0 ? -1 : c->first + to * c->stride,
        whole_from = from < 0 ? -1 : c->first + from * c->stride;
    if (to >= 0) atomic_fetch_add(&e->bytes_sent, (long long)out_bytes);
    error why;
    if (e->way.pass(e->way.self, whole_to, out, out_bytes, whole_from, in, in_bytes, &why)) return true;
    fail(e, &why);
    if (err) *err = why;
    return false;
}

/* ---- Opening, groups, closing ---- */

static comm *new_comm(comm_engine *e, int rank, int count, int first, int stride, error *err)
{
    comm *c = calloc(1, sizeof *c);
    if (!c) return error_null(err, ERROR_MEMORY, "out of memory for a group of %d ranks", count);
    *c = (comm){ .engine = e, .rank = rank, .count = count, .first = first, .stride = stride };
    return c;
}

/* Signals are for the main thread. */
static bool start(comm_engine *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = !pthread_create(&e->thread, NULL, serve, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

comm *comm_open(const comm_transport *transport, error *err)
{
    comm_engine *e = calloc(1, sizeof *e);
    comm *c = e ? new_comm(e, transport->rank, transport->count, 0, 1, err) : NULL;
    if (c) {
        e->way = *transport;
        e->last = &e->first;
        pthread_mutex_init(&e->lock, NULL);
        pthread_cond_init(&e->asked, NULL);
        pthread_cond_init(&e->answered, NULL);
        c->owner = true;
        if (start(e)) return c;
    }
    transport->close(transport->self, "out of memory");
    free(c);
    free(e);
    return error_null(err, ERROR_MEMORY, "out of memory for the thread that talks to %d ranks",
                      transport->count);
}

static bool divides(const comm *c, int size, error *err)
{
    if (size >= 1 && comm_count(c) % size == 0) return true;
    return error_set(err, ERROR_USAGE, "%d ranks are no groups of %d; use a number that divides them",
                     comm_count(c), size);
}

bool comm_group(comm *c, int size, comm **made, error *err)
{
    *made = NULL;
    if (!divides(c, size, err)) return false;
    if (size == 1) return true;
    *made = new_comm(c->engine, c->rank % size, size, c->first + c->rank / size * size * c->stride, c->stride,
                     err);
    return *made != NULL;
}

bool comm_across(comm *c, int size, comm **made, error *err)
{
    *made = NULL;
    if (!divides(c, size, err)) return false;
    if (comm_count(c) == size) return true;
    *made = new_comm(c->engine, c->rank / size, c->count / size, c->first + c->rank % size * c->stride,
                     c->stride * size, err);
    return *made != NULL;
}

/* What is still to be done is done, unless it is in vain. */
static void stop(comm_engine *e, const error *why)
{
    if (why) fail(e, why);
    pthread_mutex_lock(&e->lock);
    e->closing = true;
    pthread_cond_signal(&e->asked);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    e->way.close(e->way.self, e->failed ? e->why.message : NULL);
    pthread_cond_destroy(&e->asked);
    pthread_cond_destroy(&e->answered);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

void comm_close(comm *c)
{
    if (c && c->owner) stop(c->engine, NULL);
    free(c);
}

void comm_abandon(comm *c, const error *why)
{
    if (c && c->owner) stop(c->engine, why);
    free(c);
}

int comm_rank(const comm *c)
{
    return c ? c->rank : 0;
}

int comm_count(const comm *c)
{
    return c ? c->count : 1;
}

const char *comm_host(const comm *c, int rank)
{
    return c ? c->engine->way.host(c->engine->way.self, c->first + rank * c->stride) : "this host";
}

int64_t comm_bytes_sent(const comm *c)
{
    return c ? (int64_t)atomic_load(&c->engine->bytes_sent) : 0;
}

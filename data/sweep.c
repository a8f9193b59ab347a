/* sweep.c -- see sweep.h.
 * SPDX-License-Identifier: MIT */
#include "data/sweep.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 64
#define ITEMS        4          /* for each thread */
#define TELL_EVERY   250000000L /* nanoseconds */

typedef struct state {
    const sweep *s;
    pthread_mutex_t lock;
    pthread_cond_t room, ready;
    int64_t made, taken;
    bool ended, stop;
    int slots;
    bool *done; /* by slot */
    char *items;
} state;

static void *item_at(const state *t, int64_t index)
{
    return t->items + (size_t)(index % t->slots) * t->s->item_bytes;
}

/* The next item, filled in; -1 when there is none.  Under the lock. */
static int64_t make(state *t)
{
    while (!t->stop && !t->ended && t->made - t->taken >= t->slots) pthread_cond_wait(&t->room, &t->lock);
    if (t->stop || t->ended) return -1;
    void *item = item_at(t, t->made);
    memset(item, 0, t->s->item_bytes);
    t->done[t->made % t->slots] = false;
    t->ended = !t->s->next(t->s->context, t->made, item);
    if (!t->ended) return t->made++;
    pthread_cond_broadcast(&t->room);
    pthread_cond_signal(&t->ready);
    return -1;
}

static void *run(void *user)
{
    state *t = user;
    pthread_mutex_lock(&t->lock);
    for (int64_t index; (index = make(t)) >= 0;) {
        pthread_mutex_unlock(&t->lock);
        t->s->work(t->s->context, item_at(t, index));
        pthread_mutex_lock(&t->lock);
        t->done[index % t->slots] = true;
        pthread_cond_signal(&t->ready);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static bool is_ready(const state *t)
{
    return t->taken < t->made ? t->done[t->taken % t->slots] : t->ended;
}

/* Waits a while at most.  Under the lock. */
static void wait_ready(state *t)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TELL_EVERY;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (!is_ready(t))
        if (pthread_cond_timedwait(&t->ready, &t->lock, &until)) return;
}

static bool take_all(state *t, error *err)
{
    const sweep *s = t->s;
    struct timespec told = { 0 }, now;
    for (;;) {
        pthread_mutex_lock(&t->lock);
        wait_ready(t);
        bool ready = is_ready(t), over = ready && t->taken == t->made;
        int64_t index = t->taken;
        pthread_mutex_unlock(&t->lock);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (s->tell && (now.tv_sec > told.tv_sec || now.tv_nsec - told.tv_nsec >= TELL_EVERY)) {
            s->tell(s->context, index);
            told = now;
        }
        if (over) return true;
        if (s->interrupted && *s->interrupted)
            return error_set(err, ERROR_INTERRUPTED, "stopped after %lld", (long long)index);
        if (!ready) continue;
        bool done = s->take(s->context, index, item_at(t, index), err);
        if (s->drop) s->drop(s->context, item_at(t, index));
        pthread_mutex_lock(&t->lock);
        ++t->taken;
        pthread_cond_broadcast(&t->room);
        pthread_mutex_unlock(&t->lock);
        if (!done) return false;
    }
}

/* Signals are for the thread that called. */
static int start_threads(state *t, pthread_t *threads, int wanted, int *code)
{
    sigset_t all, before;
    int started = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started < wanted && (*code = pthread_create(&threads[started], NULL, run, t)) == 0) ++started;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static bool run_threads(state *t, int wanted, error *err)
{
    pthread_t threads[MOST_THREADS];
    int code = 0, started = start_threads(t, threads, wanted, &code);
    bool ok = started ? take_all(t, err)
                      : error_set(err, ERROR_MEMORY, "cannot start a worker thread: %s", strerror(code));
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_broadcast(&t->room);
    pthread_mutex_unlock(&t->lock);
    for (int i = 0; i < started; ++i) pthread_join(threads[i], NULL);
    for (; t->s->drop && t->taken < t->made; ++t->taken) t->s->drop(t->s->context, item_at(t, t->taken));
    return ok;
}

static int count_threads(int wanted)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (wanted > 0) return wanted < MOST_THREADS ? wanted : MOST_THREADS;
    return processors < 1 ? 1 : processors > 8 ? 8 : (int)processors;
}

bool sweep_run(const sweep *s, error *err)
{
    int threads = count_threads(s->threads);
    state t = { .s = s, .slots = ITEMS * threads };
    t.items = calloc((size_t)t.slots, s->item_bytes);
    t.done = calloc((size_t)t.slots, sizeof *t.done);
    bool lock = pthread_mutex_init(&t.lock, NULL) == 0, room = pthread_cond_init(&t.room, NULL) == 0,
         ready = pthread_cond_init(&t.ready, NULL) == 0;
    bool ok = t.items && t.done && lock && room && ready
                  ? run_threads(&t, threads, err)
                  : error_set(err, ERROR_MEMORY, "out of memory for %d worker threads", threads);
    if (ready) pthread_cond_destroy(&t.ready);
    if (room) pthread_cond_destroy(&t.room);
    if (lock) pthread_mutex_destroy(&t.lock);
    free(t.items);
    free(t.done);
    return ok;
}

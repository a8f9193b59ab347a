/* watch.c -- see way.h.  A link that goes silent shows in nothing but that no answer comes, and MPI's own
 * calls wait for one for ever; so each rank watches for itself, and ends itself where nobody else in it
 * does.
 * SPDX-License-Identifier: MIT */
#include "host/comm/mpi/way.h"

#include "host/base/timing.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const double EVERY = 0.05;  /* seconds between looks */
static const double ASK_EVERY = 1; /* between questions to one rank */
/* A failure that nobody has taken notice of for so long ends the process from here; one that somebody has,
 * when the end does not come. */
static const double UNTOLD = 5, UNENDED = 20;

static void end_process(const way *w, const char *why)
{
    fprintf(stderr, "dalle-cl: rank %d on '%s': %s\n", w->rank, w->peers[w->rank].who.host, why);
    _exit(1);
}

/* ---- Notes ---- */

static void hear(way *w, const way_note *n)
{
    if (n->from < 0 || n->from >= w->count) return;
    way_peer *p = &w->peers[n->from];
    p->heard = timing_now();
    if (n->kind == WAY_ASKS) way_send_note(w, n->from, WAY_ANSWERS);
    if (n->kind == WAY_ENDS) way_fail(w, "rank %d on '%s' has ended: %.900s", n->from, p->who.host, n->text);
}

static void listen_to_notes(way *w)
{
    int there = 1;
    while (there) {
        if (MPI_Test(&w->listening, &there, MPI_STATUS_IGNORE) != MPI_SUCCESS || !there) return;
        hear(w, &w->incoming);
        if (MPI_Irecv(&w->incoming, sizeof w->incoming, MPI_BYTE, MPI_ANY_SOURCE, 0, w->notes,
                      &w->listening) != MPI_SUCCESS)
            return;
    }
}

/* ---- Ranks that have ended, or stand still ---- */

static void look_for_ends(way *w)
{
    for (int r = 0; r < w->count && !w->failed; ++r) {
        struct pollfd end = { .fd = w->peers[r].end, .events = POLLIN };
        if (end.fd < 0 || poll(&end, 1, 0) <= 0) continue;
        listen_to_notes(w); /* what it has said at its end says more */
        way_fail(w, "rank %d on '%s' (process %d) has ended", r, w->peers[r].who.host,
                 (int)w->peers[r].who.process);
    }
}

static void look_after(way *w, int rank)
{
    if (rank < 0 || w->failed) return;
    way_peer *p = &w->peers[rank];
    double now = timing_now(), since = p->heard > w->since ? p->heard : w->since;
    if (now - since > w->timeout)
        way_fail(
            w, "rank %d on '%s' has not answered for %.0f s: its process stands still, or the network to it",
            rank, p->who.host, now - since);
    else if (now - since > ASK_EVERY && now - p->asked > ASK_EVERY) {
        p->asked = now;
        way_send_note(w, rank, WAY_ASKS);
    }
}

/* ---- The thread ---- */

static bool take_lock(way *w, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)seconds;
    return pthread_mutex_timedlock(&w->lock, &until) == 0;
}

static void end_if_nobody_does(const way *w)
{
    if (!w->failed) return;
    double passed = timing_now() - w->failed_at;
    if (passed > (w->told ? UNENDED : UNTOLD)) end_process(w, w->why.message);
}

static void *watch(void *context)
{
    way *w = context;
    for (bool closing = false; !closing;) {
        if (!take_lock(w, w->timeout + 1))
            end_process(w, "a call of MPI has not returned: the network stands still");
        closing = w->closing;
        if (!closing) {
            listen_to_notes(w);
            look_for_ends(w);
            for (int i = 0; i < 2; ++i) look_after(w, w->waits[i]);
            end_if_nobody_does(w);
        }
        pthread_mutex_unlock(&w->lock);
        struct timespec pause = { 0, (long)(EVERY * 1e9) };
        if (!closing) nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Signals are for the main thread. */
bool way_watch_start(way *w, error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w->watched = !pthread_create(&w->watch, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w->watched ||
           error_set(err, ERROR_MEMORY, "out of memory for the thread that watches %d ranks", w->count);
}

void way_watch_stop(way *w)
{
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_mutex_unlock(&w->lock);
    if (w->watched) pthread_join(w->watch, NULL);
    w->watched = false;
}

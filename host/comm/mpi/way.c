/* way.c -- see way.h: MPI's messages, opening and closing.
 * SPDX-License-Identifier: MIT */
#include "host/comm/mpi/way.h"

#include "host/base/timing.h"
#include "host/comm/started.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHUNK ((int64_t)1 << 30) /* MPI counts in ints */

static const double BARE = 0.0005;  /* seconds of asking again and again before the processor is given away */
static const double FAREWELL = 0.5; /* seconds for telling the others why this rank ends, */
static const double HEARING = 0.3;  /* and for their hearing it before mpirun ends them because it did */

bool way_check(int code, const char *call, error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    if (code == MPI_SUCCESS) return true;
    MPI_Error_string(code, text, &length);
    return error_set(err, ERROR_IO, "%s: %.300s", call, text);
}

void way_fail(way *w, const char *format, ...)
{
    if (w->failed) return;
    va_list args;
    va_start(args, format);
    error_setv(&w->why, ERROR_IO, format, args);
    va_end(args);
    w->failed_at = timing_now();
    w->failed = true;
}

/* One of a kind is under way to a rank at a time: to one that does not listen they would pile up. */
void way_send_note(way *w, int to, way_kind kind)
{
    way_peer *p = &w->peers[to];
    way_note *n = kind == WAY_ANSWERS ? &p->answers : &p->asks;
    MPI_Request *under_way = kind == WAY_ANSWERS ? &p->answering : &p->asking;
    int sent = 1;
    if (*under_way != MPI_REQUEST_NULL) MPI_Test(under_way, &sent, MPI_STATUS_IGNORE);
    if (!sent) return;
    *n = (way_note){ .kind = (int32_t)kind, .from = w->rank };
    if (kind == WAY_ENDS) snprintf(n->text, sizeof n->text, "%s", w->why.message);
    MPI_Isend(n, sizeof *n, MPI_BYTE, to, 0, w->notes, under_way);
}

/* ---- Messages ---- */

static void wait_a_little(double waited)
{
    struct timespec pause = { 0, waited < 0.02 ? 20000 : 200000 };
    if (waited < BARE)
        sched_yield();
    else
        nanosleep(&pause, NULL);
}

/* The comm's thread looks for itself while the watch looks after the ranks that are waited for. */
static bool finish(way *w, MPI_Request requests[2], int to, int from, error *err)
{
    double begun = timing_now();
    for (;;) {
        int done = 0;
        pthread_mutex_lock(&w->lock);
        w->waits[0] = to;
        w->waits[1] = from;
        if (w->since < begun) w->since = begun;
        int code = MPI_Testall(2, requests, &done, MPI_STATUSES_IGNORE);
        bool failed = w->failed && !done;
        if (failed && err) *err = w->why;
        if (failed) w->told = true;
        if (done || failed || code != MPI_SUCCESS) w->waits[0] = w->waits[1] = -1;
        pthread_mutex_unlock(&w->lock);
        if (failed || !way_check(code, "MPI_Testall", err)) return false;
        if (done) return true;
        wait_a_little(timing_now() - begun);
    }
}

static int64_t chunk(int64_t left)
{
    return left < CHUNK ? left : CHUNK;
}

static bool pass(void *self, int to, const void *out, int64_t out_bytes, int from, void *in, int64_t in_bytes,
                 error *err)
{
    way *w = self;
    int64_t sent = 0, got = 0;
    bool sends = to >= 0, receives = from >= 0;
    while (sends || receives) {
        MPI_Request requests[2] = { MPI_REQUEST_NULL, MPI_REQUEST_NULL };
        int64_t now_out = chunk(out_bytes - sent), now_in = chunk(in_bytes - got);
        pthread_mutex_lock(&w->lock);
        int code =
            receives ? MPI_Irecv((char *)in + got, (int)now_in, MPI_BYTE, from, 0, w->messages, &requests[0])
                     : MPI_SUCCESS;
        if (sends && code == MPI_SUCCESS)
            code =
                MPI_Isend((const char *)out + sent, (int)now_out, MPI_BYTE, to, 0, w->messages, &requests[1]);
        pthread_mutex_unlock(&w->lock);
        if (!way_check(code, "MPI_Isend", err) ||
            !finish(w, requests, sends ? to : -1, receives ? from : -1, err))
            return false;
        sent += sends ? now_out : 0;
        got += receives ? now_in : 0;
        sends = sends && sent < out_bytes;
        receives = receives && got < in_bytes;
    }
    return true;
}

static const char *host_of(void *self, int rank)
{
    return ((const way *)self)->peers[rank].who.host;
}

/* ---- Opening ---- */

static void add_line(const char *path, bool link, char *text, size_t room)
{
    size_t used = strlen(text);
    if (used + 1 >= room) return;
    ssize_t got = -1;
    if (link) {
        got = readlink(path, text + used, room - used - 1);
    } else {
        FILE *f = fopen(path, "r");
        if (!f) return;
        got = (ssize_t)fread(text + used, 1, room - used - 1, f);
        fclose(f);
    }
    text[used + (size_t)(got > 0 ? got : 0)] = '\0';
}

static way_identity who_am_i(void)
{
    way_identity me = { .process = (int32_t)getpid() };
    gethostname(me.host, sizeof me.host - 1);
    add_line("/proc/sys/kernel/random/boot_id", false, me.place, sizeof me.place);
    add_line("/proc/self/ns/pid", true, me.place, sizeof me.place);
    return me;
}

static int descriptor_of_end(const way_identity *me, const way_identity *them)
{
    if (me->process == them->process || strcmp(me->place, them->place) != 0) return -1;
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, them->process, 0);
#else
    return -1;
#endif
}

static bool meet(way *w, error *err)
{
    way_identity me = who_am_i(), *all = calloc((size_t)w->count, sizeof *all);
    w->peers = calloc((size_t)w->count, sizeof *w->peers);
    bool ok = all && w->peers ? true : error_set(err, ERROR_MEMORY, "out of memory for %d ranks", w->count);
    ok = ok && way_check(MPI_Comm_dup(MPI_COMM_WORLD, &w->messages), "MPI_Comm_dup", err) &&
         way_check(MPI_Comm_dup(MPI_COMM_WORLD, &w->notes), "MPI_Comm_dup", err) &&
         way_check(MPI_Allgather(&me, sizeof me, MPI_BYTE, all, sizeof me, MPI_BYTE, w->messages),
                   "MPI_Allgather", err) &&
         way_check(MPI_Irecv(&w->incoming, sizeof w->incoming, MPI_BYTE, MPI_ANY_SOURCE, 0, w->notes,
                             &w->listening),
                   "MPI_Irecv", err);
    for (int r = 0; ok && r < w->count; ++r)
        w->peers[r] = (way_peer){ .who = all[r],
                                  .end = r == w->rank ? -1 : descriptor_of_end(&me, &all[r]),
                                  .asking = MPI_REQUEST_NULL,
                                  .answering = MPI_REQUEST_NULL };
    free(all);
    return ok;
}

static void way_free(way *w)
{
    for (int r = 0; w->peers && r < w->count; ++r)
        if (w->peers[r].end >= 0) close(w->peers[r].end);
    pthread_mutex_destroy(&w->lock);
    free(w->peers);
    free(w);
}

/* ---- Closing ---- */

static void say_farewell(way *w, const char *why)
{
    error_set(&w->why, ERROR_IO, "%s", why);
    for (int r = 0; r < w->count; ++r)
        if (r != w->rank) {
            w->peers[r].asking = MPI_REQUEST_NULL; /* what was asked no longer matters */
            way_send_note(w, r, WAY_ENDS);
        }
    double begun = timing_now();
    for (int all = 0; !all && timing_now() - begun < FAREWELL; wait_a_little(1)) {
        all = 1;
        for (int r = 0; r < w->count; ++r) {
            int sent = 1;
            if (r != w->rank) MPI_Test(&w->peers[r].asking, &sent, MPI_STATUS_IGNORE);
            all = all && sent;
        }
    }
    struct timespec hearing = { 0, (long)(HEARING * 1e9) };
    nanosleep(&hearing, NULL);
}

/* All ranks are through, so that none of them is missed. */
static bool end_together(way *w)
{
    MPI_Request all[2] = { MPI_REQUEST_NULL, MPI_REQUEST_NULL };
    pthread_mutex_lock(&w->lock);
    int code = MPI_Ibarrier(w->messages, &all[0]);
    pthread_mutex_unlock(&w->lock);
    return code == MPI_SUCCESS && finish(w, all, -1, -1, NULL);
}

/* A job that has failed is not finalized: that waits for those who are no more. */
static void close_way(void *self, const char *why)
{
    way *w = self;
    w->told = true;
    bool together = !why && end_together(w);
    way_watch_stop(w);
    if (!together) {
        say_farewell(w, why ? why : w->why.message);
        return; /* MPI may still write into what is under way */
    }
    MPI_Cancel(&w->listening);
    MPI_Request_free(&w->listening);
    MPI_Comm_free(&w->messages);
    MPI_Comm_free(&w->notes);
    MPI_Finalize();
    way_free(w);
}

/* ---- The job ---- */

static bool start_mpi(int *rank, int *count, error *err)
{
    int provided;
    if (!way_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread", err))
        return false;
    if (provided < MPI_THREAD_SERIALIZED)
        return error_set(err, ERROR_IO,
                         "this MPI cannot be used from a thread; use Open MPI, or another built so");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, count);
    return true;
}

/* MPI's own threads get no signals, which are the program's. */
static bool start_quietly(int *rank, int *count, error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = start_mpi(rank, count, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

bool comm_open_mpi(double timeout, comm **c, error *err)
{
    int rank, count;
    *c = NULL;
    if (started_count() <= 1) return true;
    if (!start_quietly(&rank, &count, err)) return false;
    way *w = calloc(1, sizeof *w);
    if (!w) return error_set(err, ERROR_MEMORY, "out of memory for %d ranks", count);
    *w = (way){ .rank = rank, .count = count, .timeout = timeout, .waits = { -1, -1 } };
    pthread_mutex_init(&w->lock, NULL);
    if (!meet(w, err) || !way_watch_start(w, err)) {
        way_free(w);
        return false;
    }
    const comm_transport transport = { rank, count, w, host_of, pass, close_way };
    *c = comm_open(&transport, err);
    return *c != NULL;
}

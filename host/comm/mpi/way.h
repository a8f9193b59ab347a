/* way.h -- the way from rank to rank through MPI, and the watch over it. All calls of MPI are made under one
 * lock: those of the comm's thread, which passes messages, and those of the watch, a thread that goes on
 * while the comm's waits for a device.  The watch answers other ranks that ask whether this one is alive,
 * asks those that are waited for, and looks whether processes of this host have ended.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_COMM_MPI_WAY_H
#define DALLE_CL_COMM_MPI_WAY_H

#include "host/comm/comm.h"

#include <mpi.h>
#include <pthread.h>
#include <stdatomic.h>

/* Who a rank is. */
typedef struct way_identity {
    char host[64];
    char place[128]; /* alike for processes that can see each other's ends */
    int32_t process;
} way_identity;

typedef enum way_kind { WAY_ASKS = 1, WAY_ANSWERS, WAY_ENDS } way_kind;
typedef struct way_note {
    int32_t kind, from;
    char text[sizeof((error *)0)->message]; /* of one that ends: why */
} way_note;

typedef struct way_peer {
    way_identity who;
    int end;      /* descriptor that becomes readable when its process ends; -1: none */
    double heard; /* when it last said something */
    double asked;
    way_note asks, answers;
    MPI_Request asking, answering;
} way_peer;

typedef struct way {
    int rank, count;
    double timeout; /* seconds */
    MPI_Comm messages, notes;
    way_peer *peers;
    pthread_mutex_t lock; /* of MPI and of what follows */
    pthread_t watch;
    bool watched;
    way_note incoming;
    MPI_Request listening;
    int waits[2]; /* for these ranks; -1: none */
    double since; /* when that wait began */
    bool closing;
    atomic_bool failed, told; /* told: somebody else knows, and will end the process */
    double failed_at;
    error why;
} way;

bool way_check(int code, const char *call, error *err);
/* Both under the lock. */
void way_fail(way *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void way_send_note(way *w, int to, way_kind kind);

/* watch.c */
bool way_watch_start(way *w, error *err);
void way_watch_stop(way *w);

#endif

/* meeting.h -- for tests of what goes on at the same time: messages between ranks are held up until the
 * device has come to a stop, which stands in the graph and is held up until the message has begun.  Which of
 * them should meet is the test's.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_MEETING_H
#define DALLE_CL_TESTS_MEETING_H

#include "host/graph/graph.h"
#include "tests/support/comm_threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { MEETING_RANKS = 2, MEETING_MOST = 32 };

/* Of a rank: messages that have begun, and the device's stops. */
typedef struct progress {
    int messages, stops;
} progress;

typedef struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    double patience;           /* seconds */
    bool late;                 /* who should come has not, within that time */
    int stop_of[MEETING_MOST]; /* the stop that message i, from 1 on, should meet; 0: none */
    progress of[MEETING_RANKS];
} meeting;

typedef struct meeting_seat {
    meeting *meeting;
    int rank;
} meeting_seat;

static inline int message_of(const meeting *m, int stop)
{
    for (int i = 1; i < MEETING_MOST; ++i)
        if (m->stop_of[i] == stop) return i;
    return 0;
}

/* With the lock: until *count is `wanted`. */
static inline void wait_until(meeting *m, const int *count, int wanted)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const long nanoseconds = until.tv_nsec + (long)((m->patience - (double)(long)m->patience) * 1e9);
    until.tv_sec += (long)m->patience + nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    while (*count < wanted && !m->late)
        if (pthread_cond_timedwait(&m->changed, &m->lock, &until) == ETIMEDOUT && *count < wanted)
            m->late = true;
    pthread_cond_broadcast(&m->changed);
}

static inline void hold_message(void *self, int rank)
{
    meeting *m = self;
    progress *p = &m->of[rank];
    pthread_mutex_lock(&m->lock);
    ++p->messages;
    pthread_cond_broadcast(&m->changed);
    wait_until(m, &p->stops, p->messages < MEETING_MOST ? m->stop_of[p->messages] : 0);
    pthread_mutex_unlock(&m->lock);
}

/* What was enqueued before is done while the message is held up. */
static inline bool stop(device *d, void *context, error *err)
{
    const meeting_seat *r = *(meeting_seat **)context;
    meeting *m = r->meeting;
    progress *p = &m->of[r->rank];
    pthread_mutex_lock(&m->lock);
    wait_until(m, &p->messages, message_of(m, p->stops + 1));
    pthread_mutex_unlock(&m->lock);
    bool ok = device_finish(d, err);
    pthread_mutex_lock(&m->lock);
    ++p->stops;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    return ok;
}

static inline bool stop_infer(node *n)
{
    return !node_output_in_place(n, 0)->poison;
}

static inline bool stop_bind(const node *n, binder *b)
{
    meeting_seat **kept = malloc(sizeof(meeting_seat *));
    if (!kept) return error_set(binder_error(b), ERROR_MEMORY, "out of memory");
    *kept = *(meeting_seat **)n->attributes;
    return device_launches_add_call(binder_launches(b), n->def->name, stop, kept, binder_error(b));
}

static inline void stop_grad(node *n, tensor *const *dout, tensor **din);
static const op_def op_stop = { .name = "stop", .infer = stop_infer, .bind = stop_bind, .grad = stop_grad };

static inline tensor *append_stop(meeting_seat *r, tensor *x)
{
    return graph_node1(x->graph, &op_stop, 1, &x, &r, sizeof r);
}

static inline void stop_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = append_stop(*(meeting_seat **)n->attributes, dout[0]);
}

/* Runs the ranks, and says in m->late whether any waited in vain. */
static inline bool meeting_run(meeting *m, comm_threads_run run, void *const *selves, error *err)
{
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, NULL);
    comm_threads_watch(hold_message, m);
    bool ok = comm_threads(MEETING_RANKS, run, selves, err);
    comm_threads_watch(NULL, NULL);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    return ok;
}

#endif

/* test_gather.c -- that gatherings, and gradients' ways back, go on while the device works: messages between
 * ranks are held up until the device has done the next block, which is held up until they have begun.
 * SPDX-License-Identifier: MIT */
#include "host/train/gather.h"

#include "host/nn/nn.h"
#include "host/train/pieces.h"
#include "tests/support/comm_threads.h"
#include "tests/support/device_or_skip.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

enum { RANKS = 2, BLOCKS = 3, SIZE = 8, ROWS = 4 };

/* Of a rank: messages that have begun, and the device's stops, which stand between the blocks. */
typedef struct progress {
    int messages, stops;
} progress;

typedef struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    double patience; /* seconds */
    bool late;       /* who should come has not, within that time */
    progress of[RANKS];
} meeting;

/* The messages are the gatherings of blocks 1, 2, 3, and the ways back of the gradients of 3, 2, 1; the stops
 * are behind the blocks 1, 2, 3, and in front of the gradients of 3, 2, 1.  Which should meet: */
static int stop_of(int message)
{
    static const int stops[] = { 0, 0, 1, 2, 5, 6, 0 };
    return stops[message];
}
static int message_of(int stop)
{
    static const int messages[] = { 0, 2, 3, 0, 0, 4, 5 };
    return messages[stop];
}

/* With the lock: until *count is `wanted`. */
static void wait_until(meeting *m, const int *count, int wanted)
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

static void hold_message(void *self, int rank)
{
    meeting *m = self;
    progress *p = &m->of[rank];
    pthread_mutex_lock(&m->lock);
    ++p->messages;
    pthread_cond_broadcast(&m->changed);
    wait_until(m, &p->stops, stop_of(p->messages));
    pthread_mutex_unlock(&m->lock);
}

typedef struct rig {
    meeting *meeting;
    int rank;
    bool ahead;
    tensor *x;
    float gradients[BLOCKS * SIZE * SIZE / RANKS];
} rig;

/* What was enqueued before is done while the message is held up. */
static bool stop(device *d, void *context, error *err)
{
    const rig *r = *(rig **)context;
    meeting *m = r->meeting;
    progress *p = &m->of[r->rank];
    pthread_mutex_lock(&m->lock);
    wait_until(m, &p->messages, message_of(p->stops + 1));
    pthread_mutex_unlock(&m->lock);
    bool ok = device_finish(d, err);
    pthread_mutex_lock(&m->lock);
    ++p->stops;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    return ok;
}

static bool stop_infer(node *n)
{
    return !node_output_in_place(n, 0)->poison;
}

static bool stop_bind(const node *n, binder *b)
{
    rig **kept = malloc(sizeof(rig *));
    if (!kept) return error_set(binder_error(b), ERROR_MEMORY, "out of memory");
    *kept = *(rig **)n->attributes;
    return device_launches_add_call(binder_launches(b), n->def->name, stop, kept, binder_error(b));
}

static void stop_grad(node *n, tensor *const *dout, tensor **din);
static const op_def op_stop = { .name = "stop", .infer = stop_infer, .bind = stop_bind, .grad = stop_grad };

static tensor *append_stop(rig *r, tensor *x)
{
    return graph_node1(x->graph, &op_stop, 1, &x, &r, sizeof r);
}

static void stop_grad(node *n, tensor *const *dout, tensor **din)
{
    din[0] = append_stop(*(rig **)n->attributes, dout[0]);
}

static bool build(rig *r, graph *g, tensor *gradient[BLOCKS])
{
    tensor *x = r->x = graph_input(g, "x", DTYPE_F32, 2, (int64_t[]){ ROWS, SIZE }), *weight[BLOCKS];
    for (int i = 0; i < BLOCKS; ++i) {
        graph_push(g, "block%d", i + 1);
        const linear_weights w = nn_linear_weights(g, "up", SIZE, SIZE, false, 0.5f);
        weight[i] = w.weight;
        x = append_stop(r, nn_linear(&w, x));
        graph_pop(g);
    }
    graph_backward(g, op_mean_all(op_square(x)));
    if (r->ahead) gather_ahead(g);
    for (int i = 0; i < BLOCKS; ++i) graph_keep(gradient[i] = graph_gradient(g, weight[i]));
    return !x->poison;
}

static bool work(comm *c, void *self, error *err)
{
    rig *r = self;
    device *d = device_open(NULL, err);
    store *s = d ? store_create(d, err) : NULL;
    graph *g = s && pieces_open(s, c, RANKS, err) ? graph_create(s, err) : NULL;
    tensor *gradient[BLOCKS];
    float x[ROWS * SIZE];
    for (int i = 0; i < ROWS * SIZE; ++i) x[i] = (float)((7 * i + 3 * r->rank) % 11) / 11 - 0.4f;
    bool ok = g && build(r, g, gradient) && graph_compile(g, 5, "rows", err) && graph_write(r->x, x, err);
    ok = ok && graph_run(g, err);
    for (int i = 0; ok && i < BLOCKS; ++i)
        ok = graph_read(gradient[i], r->gradients + i * SIZE * SIZE / RANKS, err);
    graph_destroy(g);
    store_destroy(s);
    device_close(d);
    return ok;
}

/* Whether all that should meet has met. */
static bool meets(bool ahead, double patience, rig rigs[RANKS])
{
    meeting m = { .patience = patience };
    void *selves[RANKS];
    error err = { 0 };
    pthread_mutex_init(&m.lock, NULL);
    pthread_cond_init(&m.changed, NULL);
    for (int r = 0; r < RANKS; ++r) {
        rigs[r] = (rig){ .meeting = &m, .rank = r, .ahead = ahead };
        selves[r] = &rigs[r];
    }
    comm_threads_watch(hold_message, &m);
    bool ok = comm_threads(RANKS, work, selves, &err);
    comm_threads_watch(NULL, NULL);
    pthread_cond_destroy(&m.changed);
    pthread_mutex_destroy(&m.lock);
    if (!ok) fail_msg("%s", err.message);
    for (int r = 0; r < RANKS; ++r) {
        assert_int_equal(m.of[r].messages, 2 * BLOCKS);
        assert_int_equal(m.of[r].stops, 2 * BLOCKS);
    }
    return !m.late;
}

static void the_device_works_meanwhile(void **state)
{
    (void)state;
    rig ahead[RANKS], waiting[RANKS];
    assert_true(meets(true, 30, ahead));
    assert_false(meets(false, 0.2, waiting)); /* nothing else would make them meet */
    for (int r = 0; r < RANKS; ++r)
        for (size_t i = 0; i < sizeof ahead->gradients / sizeof(float); ++i)
            assert_true(ahead[r].gradients[i] == waiting[r].gradients[i] && ahead[r].gradients[i] != 0);
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_device_works_meanwhile) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_gather.c -- that gatherings, and gradients' ways back, go on while the device works.
 * SPDX-License-Identifier: MIT */
#include "host/train/gather.h"

#include "host/nn/nn.h"
#include "host/train/pieces.h"
#include "tests/support/device_or_skip.h"
#include "tests/train/meeting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { RANKS = MEETING_RANKS, BLOCKS = 3, SIZE = 8, ROWS = 4 };

typedef struct rig {
    meeting_seat seat;
    bool ahead;
    tensor *x;
    float gradients[BLOCKS * SIZE * SIZE / RANKS];
} rig;

static bool build(rig *r, graph *g, tensor *gradient[BLOCKS])
{
    tensor *x = r->x = graph_input(g, "x", DTYPE_F32, 2, (int64_t[]){ ROWS, SIZE }), *weight[BLOCKS];
    for (int i = 0; i < BLOCKS; ++i) {
        graph_push(g, "block%d", i + 1);
        const linear_weights w = nn_linear_weights(g, "up", SIZE, SIZE, false, 0.5f);
        weight[i] = w.weight;
        x = append_stop(&r->seat, nn_linear(&w, x));
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
    for (int i = 0; i < ROWS * SIZE; ++i) x[i] = (float)((7 * i + 3 * r->seat.rank) % 11) / 11 - 0.4f;
    bool ok = g && build(r, g, gradient) && graph_compile(g, 5, "rows", err) && graph_write(r->x, x, err);
    ok = ok && graph_run(g, err);
    for (int i = 0; ok && i < BLOCKS; ++i)
        ok = graph_read(gradient[i], r->gradients + i * SIZE * SIZE / RANKS, err);
    graph_destroy(g);
    store_destroy(s);
    device_close(d);
    return ok;
}

/* The messages are the gatherings of blocks 1, 2, 3, and the ways back of the gradients of 3, 2, 1; the
 * stops are behind the blocks 1, 2, 3, and in front of the gradients of 3, 2, 1.  Whether those meet that
 * should. */
static bool meets(bool ahead, double patience, rig rigs[RANKS])
{
    meeting m = { .patience = patience, .stop_of = { 0, 0, 1, 2, 5, 6, 0 } };
    void *selves[RANKS];
    error err = { 0 };
    for (int r = 0; r < RANKS; ++r) {
        rigs[r] = (rig){ .seat = { &m, r }, .ahead = ahead };
        selves[r] = &rigs[r];
    }
    if (!meeting_run(&m, work, selves, &err)) fail_msg("%s", err.message);
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

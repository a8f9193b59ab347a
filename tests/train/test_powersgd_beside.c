/* test_powersgd_beside.c -- that compressed gradients are summed while the device is at the gradients of
 * earlier blocks, and that this changes no bit.
 * SPDX-License-Identifier: MIT */
#include "tests/support/device_or_skip.h"
#include "tests/train/meeting.h"
#include "tests/train/powersgd_rig.h"

enum { BLOCKS = 4, ROWS = 6, PAIR = MEETING_RANKS };

/* Unlike shapes, so that each weight goes by itself. */
static const int64_t widths[BLOCKS + 1] = { 12, 16, 20, 24, 28 };

typedef struct runner {
    meeting_seat seat;
    bool beside;
} runner;

static tensor *loss_of(runner *r, graph *g, tensor *x)
{
    for (int i = 0; i < BLOCKS; ++i) {
        const parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 0.3f, true, false };
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        tensor *w = graph_parameter(g, name, spec, 2, (int64_t[]){ widths[i], widths[i + 1] });
        x = append_stop(&r->seat, op_matmul(x, w));
    }
    return op_mean_all(op_square(x));
}

static bool build(runner *r, comm *c, graph *g, division *d, error *err)
{
    const optimizer_settings s = { .epsilon = 1e-8f, .compress = { 2, DTYPE_F32, c } };
    tensor *x = graph_input(g, "x", DTYPE_F32, 2, (int64_t[]){ ROWS, widths[0] }),
           *random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    *d = division_among((division){ .parts = 1, .samples = 1, .random = random }, c);
    if (!r->beside) d->traffic = NULL;
    tensor *loss = loss_of(r, g, x);
    graph_backward(g, loss);
    optimizer_append_divided(g, loss, &s, d);
    float values[ROWS * 12];
    for (int i = 0; i < ROWS * 12; ++i) values[i] = (float)((5 * i + r->seat.rank) % 7) / 7 - 0.3f;
    return graph_compile(g, 3, "rows", err) && graph_write(x, values, err);
}

static bool nothing(void *context, int64_t first, error *err)
{
    (void)context, (void)first, (void)err;
    return true;
}

static bool work(comm *c, void *self, error *err)
{
    division d;
    device *on = device_open(NULL, err);
    store *s = on ? store_create(on, err) : NULL;
    graph *g = s ? graph_create(s, err) : NULL;
    bool ok =
        g && build(self, c, g, &d, err) && division_run(&d, g, nothing, NULL, err) && device_finish(on, err);
    graph_destroy(g);
    store_destroy(s);
    device_close(on);
    return ok;
}

/* A sum takes two messages, to who adds up and back.  The first is of the last block's P, which should meet
 * the sixth stop, in front of the third block's gradient; the third is of the third block's P, and the fifth
 * of the last block's R: in front of the second's gradient and the first's. */
static bool meets(bool beside, double patience)
{
    meeting m = { .patience = patience, .stop_of = { 0, 6, 0, 7, 0, 8 } };
    runner runners[PAIR];
    void *selves[PAIR];
    error err = { 0 };
    for (int r = 0; r < PAIR; ++r) {
        runners[r] = (runner){ { &m, r }, beside };
        selves[r] = &runners[r];
    }
    if (!meeting_run(&m, work, selves, &err)) fail_msg("%s", err.message);
    for (int r = 0; r < PAIR; ++r) {
        assert_int_equal(m.of[r].messages, 2 * 2 * BLOCKS);
        assert_int_equal(m.of[r].stops, 2 * BLOCKS);
    }
    return !m.late;
}

static void the_device_works_meanwhile(void **state)
{
    (void)state;
    assert_true(meets(true, 30));
    assert_false(meets(false, 0.2)); /* nothing else would make them meet */
}

static void sums_that_are_waited_for_are_the_same(void **state)
{
    (void)state;
    static const dtype types[] = { DTYPE_F32, DTYPE_F169 };
    for (int ranks = 2; ranks <= 3; ++ranks)
        for (int parts = 1; parts <= 2; ++parts) {
            job j = usual;
            j.ranks = ranks;
            j.parts = parts;
            j.type = types[ranks - 2];
            seen *waiting = run(&j);
            j.beside = true;
            seen *beside = run(&j);
            for (int r = 0; r < ranks; ++r) {
                assert_memory_equal(beside[r].gradient, waiting[r].gradient, sizeof beside->gradient);
                assert_memory_equal(beside[r].error, waiting[r].error, sizeof beside->error);
            }
            free(waiting);
            free(beside);
        }
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_device_works_meanwhile),
        cmocka_unit_test(sums_that_are_waited_for_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

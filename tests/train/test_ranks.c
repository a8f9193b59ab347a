/* test_ranks.c -- a batch divided among ranks is the batch: N ranks have the bits of one rank's N parts, and
 * all of them the same; ranks with parts, and losses of all samples together, are so to rounding; and what
 * fails ends all.
 * SPDX-License-Identifier: MIT */
#include "host/ops/ops.h"
#include "host/train/optimizer.h"
#include "host/train/share.h"
#include "tests/support/comm_threads.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* More parameters than leave together. */
enum { BATCH = 8, WIDE = 5, DEEP = 3, BIASES = 70, STEPS = 3, RANKS = 4 };

typedef enum form { PLAIN, JOINED, BALANCED } form;

typedef struct outcome {
    float loss[STEPS], weight[WIDE * DEEP], bias[DEEP], whole[BATCH * DEEP], status[4];
} outcome;

typedef struct task {
    form kind;
    int parts, fail_at;
    outcome out;
} task;

typedef struct rig {
    device *device;
    store *store;
    graph *graph;
    division division;
    optimizer *optimizer;
    tensor *x, *loss, *whole;
    int step;
} rig;

static float input_at(int step, int64_t i)
{
    return (float)sin(0.7 * (double)i + 1.3 * step) + 0.2f;
}

static tensor *forward(rig *r, graph *g)
{
    const parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 0.5f, true };
    tensor *y = op_matmul(r->x, graph_parameter(g, "weight", spec, 2, (int64_t[]){ WIDE, DEEP }));
    for (int k = 0; k < BIASES; ++k) {
        char name[16];
        snprintf(name, sizeof name, "bias%02d", k);
        y = op_add(y, graph_parameter(g, name, spec, 1, (int64_t[]){ DEEP }));
    }
    return y;
}

/* The square of a mean is no mean of squares: of a part's samples it is not the batch's. */
static tensor *of_all(tensor *y)
{
    tensor *mean = op_scale(op_sum_rows(y), 1.0f / (float)tensor_rows(y));
    return op_add(op_mean_all(op_square(y)), op_sum_all(op_square(mean)));
}

static tensor *loss_of(rig *r, graph *g, const task *k)
{
    bool again = k->kind == JOINED && k->parts > 1;
    if (again) graph_recompute_begin(g);
    tensor *y = forward(r, g);
    if (again) graph_recompute_end(g);
    r->whole = y;
    if (k->kind == JOINED) return of_all(division_join(&r->division, "y", y));
    tensor *loss = op_mean_all(op_square(y));
    if (k->kind == PLAIN) return loss;
    tensor *mean = op_scale(op_sum_rows(y), 1.0f / (float)tensor_rows(y));
    return op_add(loss, op_sum_all(op_square(division_mean_of_ranks(&r->division, mean))));
}

static bool build(rig *r, comm *c, const task *k, error *err)
{
    if (!(r->device = device_open(NULL, err)) || !(r->store = store_create(r->device, err)) ||
        !(r->graph = graph_create(r->store, err)))
        return false;
    graph *g = r->graph;
    int64_t samples = BATCH / comm_count(c) / k->parts;
    r->x = graph_input(g, "x", DTYPE_F32, 2, (int64_t[]){ samples, WIDE });
    tensor *random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    r->division = division_among((division){ .parts = k->parts, .samples = samples, .random = random }, c);
    r->loss = loss_of(r, g, k);
    graph_backward(g, r->loss);
    r->loss = division_mean(&r->division, "loss", r->loss);
    r->whole = division_whole(&r->division, "whole", r->whole);
    graph_keep(r->loss);
    graph_keep(r->whole);
    const optimizer_settings s = { 0.9f, 0.96f, 1e-8f, 0.01f, 4.0f, true, NULL };
    r->optimizer = optimizer_append_divided(g, r->loss, &s, &r->division);
    return graph_compile(g, 3, "batch", err);
}

static bool write_part(void *context, int64_t first, error *err)
{
    rig *r = context;
    float x[BATCH * WIDE];
    int32_t random[4] = { 1, 0, r->step, (int32_t)first };
    if (r->division.part != r->division.random && !graph_write(r->division.part, random, err)) return false;
    random[3] += (int32_t)r->division.first;
    for (int64_t i = 0; i < r->division.samples * WIDE; ++i) x[i] = input_at(r->step, random[3] * WIDE + i);
    return graph_write(r->division.random, random, err) && graph_write(r->x, x, err);
}

static bool run_steps(rig *r, comm *c, task *k, error *err)
{
    for (r->step = 0; r->step < STEPS; ++r->step) {
        if (k->fail_at == r->step && comm_rank(c) == 1)
            return error_set(err, ERROR_DEVICE, "the device is on fire");
        if (!optimizer_schedule(r->optimizer, r->step, 0.1, 0.9, err) ||
            !division_run(&r->division, r->graph, write_part, r, err) ||
            !graph_read(r->loss, &k->out.loss[r->step], err))
            return false;
    }
    return store_read_f32(r->store, store_find(r->store, "weight"), k->out.weight, err) &&
           store_read_f32(r->store, store_find(r->store, "bias69"), k->out.bias, err) &&
           graph_read(r->whole, k->out.whole, err) &&
           graph_read(optimizer_status(r->optimizer), k->out.status, err);
}

static bool work(comm *c, void *self, error *err)
{
    rig r = { 0 };
    bool ok = build(&r, c, self, err) && run_steps(&r, c, self, err);
    graph_destroy(r.graph);
    store_destroy(r.store);
    if (ok && r.device && device_allocated_bytes(r.device))
        ok = error_set(err, ERROR_DEVICE, "%lld bytes are left on the device",
                       (long long)device_allocated_bytes(r.device));
    device_close(r.device);
    return ok;
}

/* What each of the ranks comes to. */
static void train(form f, int ranks, int parts, outcome out[RANKS])
{
    task tasks[RANKS];
    void *selves[RANKS];
    error err = { 0 };
    for (int r = 0; r < ranks; ++r) {
        tasks[r] = (task){ .kind = f, .parts = parts, .fail_at = -1 };
        selves[r] = &tasks[r];
    }
    if (!comm_threads(ranks, work, selves, &err))
        fail_msg("%d ranks, %d parts: %s", ranks, parts, err.message);
    for (int r = 0; r < ranks; ++r) out[r] = tasks[r].out;
}

static void compare(const outcome *a, const outcome *b, float tolerance)
{
    const float *x = (const float *)a, *y = (const float *)b;
    for (size_t i = 0; i < sizeof *a / sizeof *x; ++i)
        if (!(fabsf(x[i] - y[i]) <= tolerance * fmaxf(1, fabsf(x[i]))))
            fail_msg("number %zu is %.9g and %.9g", i, (double)x[i], (double)y[i]);
}

static void check(form f, int ranks, int parts, const outcome *as, float tolerance)
{
    outcome out[RANKS];
    train(f, ranks, parts, out);
    assert_true(out[0].status[2] == 1.0f);
    compare(&out[0], as, tolerance);
    for (int r = 1; r < ranks; ++r) compare(&out[r], &out[0], 0);
}

static void ranks_are_parts(void **state)
{
    (void)state;
    outcome whole[RANKS], parts[RANKS];
    for (int k = PLAIN; k <= JOINED; ++k) {
        train((form)k, 1, 1, whole);
        train((form)k, 1, 4, parts);
        assert_true(whole[0].loss[2] < 0.9f * whole[0].loss[0]);
        compare(&parts[0], &whole[0], 1e-4f);
        check((form)k, 4, 1, &parts[0], 0);
        check((form)k, 2, 1, &whole[0], 1e-4f);
        check((form)k, 2, 2, &whole[0], 1e-4f);
    }
}

static void a_mean_within_the_loss_is_of_all_ranks(void **state)
{
    (void)state;
    outcome whole[RANKS];
    train(BALANCED, 1, 1, whole);
    check(BALANCED, 2, 1, &whole[0], 1e-4f);
    check(BALANCED, 4, 1, &whole[0], 1e-4f);
}

static void a_rank_that_fails_ends_all(void **state)
{
    (void)state;
    task tasks[2] = { { .kind = PLAIN, .parts = 2, .fail_at = 1 },
                      { .kind = PLAIN, .parts = 2, .fail_at = 1 } };
    void *selves[2] = { &tasks[0], &tasks[1] };
    error err = { 0 };
    assert_false(comm_threads(2, work, selves, &err));
    assert_string_equal(err.message, "the device is on fire");
}

static bool share(comm *c, void *self, error *err)
{
    (void)self;
    int rank = comm_rank(c);
    int64_t numbers[2] = { rank + 5, rank };
    bool flags[3] = { rank == 1, false, true };
    char *text = malloc(8);
    if (!text) return false;
    snprintf(text, 8, "rank %d", rank);
    bool ok = share_numbers(c, numbers, 2, err) && share_any(c, flags, 3, err) && share_text(c, &text, err);
    ok = ok && (numbers[0] == 5 && numbers[1] == 0 && flags[0] && !flags[1] && flags[2] &&
                        strcmp(text, "rank 0") == 0
                    ? true
                    : error_set(err, ERROR_MODEL, "rank %d was told something else", rank));
    free(text);
    error why;
    if (!ok || !share_complaint(c, "", err)) return false;
    return !share_complaint(c, rank ? "that one differs" : NULL, &why) &&
                   !strcmp(why.message, "that one differs")
               ? true
               : error_set(err, ERROR_MODEL, "rank %d does not hear of a complaint", rank);
}

static void all_know_what_the_first_knows(void **state)
{
    (void)state;
    error err = { 0 };
    if (!comm_threads(3, share, NULL, &err)) fail_msg("%s", err.message);
}

int main(void)
{
    device_close(device_or_skip());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_parts),
        cmocka_unit_test(a_mean_within_the_loss_is_of_all_ranks),
        cmocka_unit_test(a_rank_that_fails_ends_all),
        cmocka_unit_test(all_know_what_the_first_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

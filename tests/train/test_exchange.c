/* test_exchange.c -- gradients that pass through the host: unchanged they change nothing, changed they are
 * what norm and updates see, each is handed over once and as its own, and a failure ends the run.
 * SPDX-License-Identifier: MIT */
#include "host/ops/ops.h"
#include "host/train/optimizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PARAMETERS = 11, STEPS = 3, WIDEST = 3 * PARAMETERS };

typedef struct fixture {
    device *device;
    store *store;
    graph *graph;
    optimizer *optimizer;
    /* What the host saw and what it is to do. */
    char names[400];
    int handed, fail_at;
    float first; /* element 0 of the last one handed over */
} fixture;

/* loss = sum_k (p_k . p_k + p_k . 1) + sum (a + b): a and b have one gradient in common. */
static void open_fixture(fixture *f, exchange_change change)
{
    error err = { 0 };
    f->store = store_create(f->device, &err);
    f->graph = graph_create(f->store, &err);
    graph *g = f->graph;
    tensor *loss = NULL;
    for (int k = 0; k < PARAMETERS + 2; ++k) {
        char name[16];
        snprintf(name, sizeof name, k < PARAMETERS ? "p%02d" : k == PARAMETERS ? "q.a" : "q.b", k);
        int64_t count = k < PARAMETERS ? 3 * k + 1 : 5;
        parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, true };
        tensor *p = graph_parameter(g, name, spec, 1, &count);
        tensor *part = op_sum_all(k < PARAMETERS ? op_add(op_square(p), p) : p);
        if (k == PARAMETERS + 1) part = op_sum_all(op_add(p, graph_entry(g, store_find(f->store, "q.a"))));
        if (k != PARAMETERS) loss = loss ? op_add(loss, part) : part;
    }
    graph_backward(g, loss);
    exchange *x = graph_allocate(g, sizeof *x);
    *x = (exchange){ change, f };
    optimizer_settings s = { 0.9f, 0.96f, 1e-8f, 0.01f, 4.0f, true, change ? x : NULL };
    f->optimizer = optimizer_append(g, loss, &s);
    if (!graph_compile(g, 3, "batch", &err)) fail_msg("%s", err.message);
    f->names[0] = '\0';
    f->handed = 0;
    f->fail_at = -1;
}

static void close_fixture(fixture *f)
{
    graph_destroy(f->graph);
    store_destroy(f->store);
}

static bool step(fixture *f, int number, error *err)
{
    return optimizer_schedule(f->optimizer, number, 0.1, 0.9, err) && graph_run(f->graph, err);
}

static void steps(fixture *f)
{
    error err = { 0 };
    for (int i = 0; i < STEPS; ++i)
        if (!step(f, i, &err)) fail_msg("%s", err.message);
}

static bool leave(void *self, const store_entry *of, dtype type, void *values, int64_t count, error *err)
{
    fixture *f = self;
    const float *gradient = values;
    assert_int_equal(type, DTYPE_F32);
    size_t used = strlen(f->names);
    assert_int_equal(count, of->count);
    if (f->handed == f->fail_at) return error_set(err, ERROR_IO, "rank 3 does not answer");
    if (f->handed++ < PARAMETERS + 2) snprintf(f->names + used, sizeof f->names - used, "%s ", of->name);
    f->first = gradient[0];
    return true;
}

static bool forget(void *self, const store_entry *of, dtype type, void *values, int64_t count, error *err)
{
    memset(values, 0, (size_t)count * sizeof(float));
    return leave(self, of, type, values, count, err);
}

static bool double_one(void *self, const store_entry *of, dtype type, void *values, int64_t count, error *err)
{
    float *gradient = values;
    for (int64_t i = 0; strcmp(of->name, "q.a") == 0 && i < count; ++i) gradient[i] *= 2;
    return leave(self, of, type, values, count, err);
}

static void read_all(fixture *f, float values[][WIDEST])
{
    error err;
    for (int i = 0; i < store_count(f->store); ++i) {
        const store_entry *e = store_at(f->store, i);
        if (e->kind != STORE_CONTROL) assert_true(store_read_f32(f->store, e, values[i], &err));
    }
}

static void test_what_is_left_alone_changes_nothing(void **state)
{
    fixture *f = *state;
    static float with[64][WIDEST], without[64][WIDEST];
    open_fixture(f, leave);
    steps(f);
    read_all(f, with);
    assert_int_equal(f->handed, STEPS * (PARAMETERS + 2));
    assert_string_equal(f->names, "p00 p01 p02 p03 p04 p05 p06 p07 p08 p09 p10 q.a q.b ");
    assert_true(f->first == 1.0f); /* of q.b, whose gradient is all ones */
    close_fixture(f);
    open_fixture(f, NULL);
    steps(f);
    read_all(f, without);
    assert_memory_equal(with, without, sizeof with);
    close_fixture(f);
}

static void status_of(fixture *f, float status[4])
{
    error err;
    assert_true(graph_read(optimizer_status(f->optimizer), status, &err));
}

static void test_norm_and_updates_see_the_change(void **state)
{
    fixture *f = *state;
    error err;
    float status[4], moment[WIDEST];
    open_fixture(f, forget);
    steps(f);
    status_of(f, status);
    assert_true(status[1] == 0.0f && status[2] == 1.0f);
    const store_entry *mean = store_kin(store_find(f->store, "p03"), STORE_MEAN);
    assert_true(store_read_f32(f->store, mean, moment, &err));
    for (int i = 0; i < mean->count; ++i) assert_true(moment[i] == 0.0f);
    close_fixture(f);
}

/* One gradient of two parameters: what is done to it for one is not done to the other. */
static void test_each_has_its_own(void **state)
{
    fixture *f = *state;
    error err;
    float a[5], b[5];
    open_fixture(f, double_one);
    assert_true(step(f, 0, &err));
    assert_true(store_read_f32(f->store, store_kin(store_find(f->store, "q.a"), STORE_MEAN), a, &err));
    assert_true(store_read_f32(f->store, store_kin(store_find(f->store, "q.b"), STORE_MEAN), b, &err));
    assert_true(f->first == 1.0f && b[0] != 0.0f);
    for (int i = 0; i < 5; ++i) assert_true(a[i] == 2 * b[i]);
    close_fixture(f);
}

static void test_a_failure_ends_the_run(void **state)
{
    fixture *f = *state;
    static const int at[] = { 0, 5, PARAMETERS + 1 };
    for (size_t i = 0; i < sizeof at / sizeof *at; ++i) {
        error err = { 0 };
        open_fixture(f, leave);
        assert_true(step(f, 0, &err));
        f->fail_at = PARAMETERS + 2 + at[i];
        assert_false(step(f, 1, &err));
        assert_int_equal(err.code, ERROR_IO);
        if (!strstr(err.message, "rank 3 does not answer")) fail_msg("%s", err.message);
        close_fixture(f);
    }
}

int main(void)
{
    fixture f = { 0 };
    error err;
    if (!(f.device = device_open(NULL, &err))) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_what_is_left_alone_changes_nothing, &f),
        cmocka_unit_test_prestate(test_norm_and_updates_see_the_change, &f),
        cmocka_unit_test_prestate(test_each_has_its_own, &f),
        cmocka_unit_test_prestate(test_a_failure_ends_the_run, &f),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(f.device);
    return failed;
}

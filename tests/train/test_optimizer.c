/* test_optimizer.c -- the appended update against AdamW, clipping and EMA in double precision, with a
 * weight used twice and one that does not decay.
 * loss = sum_i (w_i^2 + w_i x_i) + v . x, so dw = 2 w + x and dv = x; the first w comes from one tensor of
 * the entry and the second from another.
 * SPDX-License-Identifier: MIT */
#include "host/ops/ops.h"
#include "host/train/optimizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { COUNT = 7, STEPS = 9 };

typedef struct fixture {
    device *device;
    store *store;
    graph *graph;
    tensor *x;
    optimizer *optimizer;
} fixture;

typedef struct reference {
    double value[COUNT], mean[COUNT], variance[COUNT], average[COUNT];
} reference;

static tensor *parameter(graph *g, const char *name, bool decay)
{
    parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, decay };
    return graph_parameter(g, name, spec, 1, (int64_t[]){ COUNT });
}

static void open_fixture(fixture *f, const optimizer_settings *settings)
{
    error err;
    f->store = store_create(f->device, &err);
    f->graph = graph_create(f->store, &err);
    graph *g = f->graph;
    f->x = graph_input(g, "x", DTYPE_F32, 1, (int64_t[]){ COUNT });
    tensor *w = parameter(g, "w", true), *v = parameter(g, "v", false), *again = parameter(g, "w", true);
    tensor *loss = op_add(op_sum_all(op_square(w)), op_sum_all(op_mul(again, f->x)));
    loss = op_add(loss, op_sum_all(op_mul(v, f->x)));
    graph_backward(g, loss);
    f->optimizer = optimizer_append(g, loss, settings);
    if (!graph_compile(g, 3, "batch", &err)) fail_msg("%s", err.message);
}

static void close_fixture(fixture *f)
{
    graph_destroy(f->graph);
    store_destroy(f->store);
}

static void read_values(fixture *f, const char *name, float values[COUNT])
{
    error err;
    if (!store_read_f32(f->store, store_find(f->store, name), values, &err)) fail_msg("%s", err.message);
}

static void start(fixture *f, const char *name, reference *r)
{
    float values[COUNT];
    read_values(f, name, values);
    memset(r, 0, sizeof *r);
    for (int i = 0; i < COUNT; ++i) r->value[i] = r->average[i] = (double)values[i];
}

static void update(reference *r, const double *gradient, double scale, const optimizer_settings *s,
                   double rate, double decay, double ema, int step)
{
    for (int i = 0; i < COUNT; ++i) {
        double g = gradient[i] * scale, b1 = (double)s->beta1, b2 = (double)s->beta2;
        r->mean[i] = b1 * r->mean[i] + (1 - b1) * g;
        r->variance[i] = b2 * r->variance[i] + (1 - b2) * g * g;
        double mean = r->mean[i] / (1 - pow(b1, step + 1)),
               variance = r->variance[i] / (1 - pow(b2, step + 1));
        r->value[i] -= rate * (mean / (sqrt(variance) + (double)s->epsilon) + decay * r->value[i]);
        r->average[i] = ema * r->average[i] + (1 - ema) * r->value[i];
    }
}

static void compare(fixture *f, const char *name, const double *expected)
{
    float got[COUNT];
    read_values(f, name, got);
    double largest = 0, difference = 0;
    for (int i = 0; i < COUNT; ++i) {
        largest = fmax(largest, fabs(expected[i]));
        difference = fmax(difference, fabs((double)got[i] - expected[i]));
    }
    if (!(difference <= 2e-6 * largest)) fail_msg("%s is wrong by %g of %g", name, difference, largest);
}

/* One step on the device and in doubles; returns the norm before clipping. */
static void one_step(fixture *f, const optimizer_settings *s, reference *w, reference *v, int step)
{
    error err;
    float x[COUNT], status[4];
    double dw[COUNT], dv[COUNT], squares = 0, rate = 0.01 * (step + 1), ema = step % 3 ? 1.0 : 0.75;
    for (int i = 0; i < COUNT; ++i) {
        x[i] = (float)sin(i + 2 * step) * 3.0f;
        dv[i] = (double)x[i];
        dw[i] = 2 * w->value[i] + (double)x[i];
        squares += dw[i] * dw[i] + dv[i] * dv[i];
    }
    bool ok = graph_write(f->x, x, &err) && optimizer_schedule(f->optimizer, step, rate, ema, &err) &&
              graph_run(f->graph, &err) && graph_read_f32(optimizer_status(f->optimizer), status, &err);
    if (!ok) fail_msg("%s", err.message);
    double norm = sqrt(squares), scale = s->clip > 0 ? fmin(1, (double)s->clip / norm) : 1;
    assert_true(fabs((double)status[1] - norm) <= 1e-5 * norm);
    assert_true(fabs((double)status[0] - scale) <= 1e-5);
    assert_true(status[2] == 1.0f);
    update(w, dw, scale, s, rate, (double)s->decay, ema, step);
    update(v, dv, scale, s, rate, 0, ema, step);
}

static void check(fixture *f, float clip)
{
    optimizer_settings s = { 0.9f, 0.96f, 1e-8f, 0.045f, clip, true, NULL };
    reference w, v;
    open_fixture(f, &s);
    start(f, "w", &w);
    start(f, "v", &v);
    for (int step = 0; step < STEPS; ++step) one_step(f, &s, &w, &v, step);
    compare(f, "w", w.value);
    compare(f, "v", v.value);
    compare(f, "adam.mean.w", w.mean);
    compare(f, "adam.variance.v", v.variance);
    compare(f, "ema.w", w.average);
    compare(f, "ema.v", v.average);
    close_fixture(f);
}

static void test_against_doubles(void **state)
{
    check(*state, 0.0f);
    check(*state, 4.0f);
}

static void test_skipped(void **state)
{
    fixture *f = *state;
    error err;
    optimizer_settings s = { 0.9f, 0.96f, 1e-8f, 0.045f, 4.0f, true, NULL };
    open_fixture(f, &s);
    float x[COUNT] = { 1, 2, INFINITY }, before[COUNT], after[COUNT], status[4];
    read_values(f, "w", before);
    assert_true(graph_write(f->x, x, &err) && optimizer_schedule(f->optimizer, 0, 0.1, 0.9, &err) &&
                graph_run(f->graph, &err) && graph_read_f32(optimizer_status(f->optimizer), status, &err));
    assert_true(status[2] == 0.0f);
    read_values(f, "w", after);
    assert_memory_equal(before, after, sizeof before);
    read_values(f, "adam.variance.w", after);
    for (int i = 0; i < COUNT; ++i) assert_true(after[i] == 0.0f);
    read_values(f, "ema.v", after);
    for (int i = 0; i < COUNT; ++i) assert_true(isfinite(after[i]));
    close_fixture(f);
}

static void test_nothing_to_train(void **state)
{
    fixture *f = *state;
    error err;
    f->store = store_create(f->device, &err);
    f->graph = graph_create(f->store, &err);
    tensor *x = graph_input(f->graph, "x", DTYPE_F32, 1, (int64_t[]){ COUNT }), *loss = op_sum_all(x);
    graph_backward(f->graph, loss);
    optimizer_settings s = { 0.9f, 0.96f, 1e-8f, 0, 0, false, NULL };
    optimizer_append(f->graph, loss, &s);
    assert_false(graph_compile(f->graph, 1, "batch", &err));
    assert_int_equal(err.code, ERROR_MODEL);
    close_fixture(f);
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
        cmocka_unit_test_prestate(test_against_doubles, &f),
        cmocka_unit_test_prestate(test_skipped, &f),
        cmocka_unit_test_prestate(test_nothing_to_train, &f),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(f.device);
    return failed;
}

/* test_optimizer.c -- the appended update against AdamW, clipping and EMA in double precision, with a
 * weight used twice and one that does not decay.
 * loss = sum_i (w_i^2 + w_i x_i) + v . x, so dw = 2 w + x and dv = x; the first w comes from one tensor of
 * the entry and the second from another.
 * SPDX-License-Identifier: MIT */
#include "host/ops/ops.h"
#include "host/train/checkpoint.h"
#include "host/train/optimizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
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

/* ---- Types ---- */

/* A weight in F16, one in F32, and one that stays wide; loss as if all were F32. */
static void open_typed(fixture *f, const optimizer_settings *settings)
{
    error err;
    f->store = store_create(f->device, &err);
    f->graph = graph_create(f->store, &err);
    graph *g = f->graph;
    f->x = graph_input(g, "x", DTYPE_F32, 1, (int64_t[]){ COUNT });
    const parameter_spec plain = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, true };
    parameter_spec half = plain, wide = plain;
    half.type = DTYPE_F16;
    wide.wide = true;
    tensor *loss = NULL;
    const parameter_spec *specs[] = { &half, &plain, &wide };
    for (int i = 0; i < 3; ++i) {
        tensor *w = graph_parameter(g, (const char *[]){ "half", "plain", "wide" }[i], *specs[i], 1,
                                    (int64_t[]){ COUNT });
        tensor *one = op_sum_all(op_mul(op_square(op_cast(w, DTYPE_F32)), f->x));
        loss = loss ? op_add(loss, one) : one;
    }
    graph_backward(g, loss);
    f->optimizer = optimizer_append(g, loss, settings);
    if (!graph_compile(g, 3, "batch", &err)) fail_msg("%s", err.message);
}

static void typed_steps(fixture *f, int first, int count)
{
    error err;
    for (int step = first; step < first + count; ++step) {
        float x[COUNT];
        for (int i = 0; i < COUNT; ++i) x[i] = 1.5f + (float)sin(i + 2 * step);
        if (!graph_write(f->x, x, &err) || !optimizer_schedule(f->optimizer, step, 0.003, 0.75, &err) ||
            !graph_run(f->graph, &err) || !device_finish(f->device, &err))
            fail_msg("%s", err.message);
    }
}

static void assert_type(const fixture *f, const char *name, dtype type)
{
    const store_entry *e = store_find(f->store, name);
    assert_non_null(e);
    assert_string_equal(dtype_name(e->type), dtype_name(type));
}

static bool same_values(const fixture *a, const fixture *b, const char *name)
{
    error err;
    char x[4 * COUNT] = { 0 }, y[4 * COUNT] = { 0 };
    assert_true(store_read(a->store, store_find(a->store, name), x, &err) &&
                store_read(b->store, store_find(b->store, name), y, &err));
    return memcmp(x, y, sizeof x) == 0;
}

static const optimizer_settings typed = { .beta1 = 0.9f,
                                          .beta2 = 0.96f,
                                          .epsilon = 1e-8f,
                                          .decay = 0.045f,
                                          .ema = true,
                                          .mean_type = DTYPE_F169,
                                          .variance_type = DTYPE_UF610,
                                          .variance_limit = 5.0f,
                                          .stochastic = true,
                                          .seed = 11 };
static const char *const typed_names[] = {
    "half", "plain", "wide", "adam.mean.half", "adam.variance.half", "adam.variance.wide", "ema.half"
};
enum { TYPED_NAMES = sizeof typed_names / sizeof *typed_names };

/* Entries of all types go on from a checkpoint as if nothing had been, rounding at random, too. */
static void test_types_and_checkpoint(void **state)
{
    fixture *f = *state, whole = { .device = f->device }, first = whole, second = whole;
    char path[] = "dalle-optimizer-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    error err;
    open_typed(&whole, &typed);
    assert_type(&whole, "half", DTYPE_F16);
    assert_type(&whole, "adam.mean.half", DTYPE_F169);
    assert_type(&whole, "adam.variance.half", DTYPE_UF610);
    assert_type(&whole, "adam.mean.plain", DTYPE_F169);
    assert_type(&whole, "adam.mean.wide", DTYPE_F32);
    assert_type(&whole, "adam.variance.wide", DTYPE_F32);
    assert_type(&whole, "ema.half", DTYPE_F32);
    typed_steps(&whole, 0, 8);
    open_typed(&first, &typed);
    typed_steps(&first, 0, 4);
    assert_true(checkpoint_save(first.store, path, NULL, 0, &err));
    open_typed(&second, &typed);
    if (!checkpoint_load(second.store, path, NULL, &err)) fail_msg("%s", err.message);
    typed_steps(&second, 4, 4);
    for (int i = 0; i < TYPED_NAMES; ++i)
        if (!same_values(&whole, &second, typed_names[i])) fail_msg("'%s' went another way", typed_names[i]);
    remove(path);
    close_fixture(&whole);
    close_fixture(&first);
    close_fixture(&second);
}

/* What a run of other types has saved is refused. */
static void test_mixed_types(void **state)
{
    fixture *f = *state, a = { .device = f->device }, b = a;
    char path[] = "dalle-optimizer-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    error err;
    optimizer_settings other = typed;
    other.mean_type = DTYPE_F32;
    open_typed(&a, &typed);
    open_typed(&b, &other);
    assert_true(checkpoint_save(a.store, path, NULL, 0, &err));
    assert_false(checkpoint_load(b.store, path, NULL, &err));
    assert_non_null(strstr(err.message, "'adam.mean.half' is stored as F169, the model's is F32"));
    remove(path);
    close_fixture(&a);
    close_fixture(&b);
}

/* Rounding at random is of the 16-bit values alone, and another with another seed. */
static void test_rounding(void **state)
{
    fixture *f = *state, a = { .device = f->device }, b = a, c = a;
    optimizer_settings other = typed, nearest = typed;
    other.seed = 12;
    nearest.stochastic = false;
    open_typed(&a, &typed);
    open_typed(&b, &other);
    open_typed(&c, &nearest);
    typed_steps(&a, 0, 4);
    typed_steps(&b, 0, 4);
    typed_steps(&c, 0, 4);
    for (int i = 0; i < TYPED_NAMES; ++i) {
        bool wide = strstr(typed_names[i], "wide") != NULL;
        assert_true(same_values(&a, &b, typed_names[i]) == wide);
        assert_true(same_values(&a, &c, typed_names[i]) == wide);
    }
    close_fixture(&a);
    close_fixture(&b);
    close_fixture(&c);
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
        cmocka_unit_test_prestate(test_types_and_checkpoint, &f),
        cmocka_unit_test_prestate(test_mixed_types, &f),
        cmocka_unit_test_prestate(test_rounding, &f),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(f.device);
    return failed;
}

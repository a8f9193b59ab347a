/* test_plan.c -- where tensors lie: nothing that lives at the same time overlaps, slabs stay within the
 * device's largest buffer, memory is reused, and what does not fit is a clear error.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"
#include "tests/graph/fixture.h"

#include <stdio.h>

/* A small generator of its own, so that the graphs are the same everywhere. */
static uint32_t next_random(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

enum { WIDTH = 24, POOL = 12 };

/* `nodes` operators over earlier tensors, chosen at random. */
static tensor *random_graph(graph *g, uint32_t seed, int nodes)
{
    uint32_t random = seed;
    tensor *pool[POOL];
    for (int i = 0; i < POOL; ++i) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        pool[i] = parameter(g, name, 2, (int64_t[]){ WIDTH, WIDTH });
    }
    for (int i = 0; i < nodes; ++i) {
        tensor *a = pool[next_random(&random, POOL)], *b = pool[next_random(&random, POOL)], *y = NULL;
        switch (next_random(&random, 7)) {
        case 0:
            y = op_add(a, b);
            break;
        case 1:
            y = op_scale(op_matmul(a, b), 0.05f);
            break;
        case 2:
            y = op_softmax(a);
            break;
        case 3:
            y = op_contiguous(op_permute(a, (int[]){ 1, 0 }));
            break;
        case 4:
            y = op_concat(2, (tensor *[]){ op_slice(a, 0, 0, 8), op_slice(b, 0, 8, WIDTH - 8) }, 0);
            break;
        case 5:
            y = op_mul(op_sigmoid(a), b);
            break;
        default:
            y = op_gelu(a);
            break;
        }
        pool[next_random(&random, POOL)] = y;
    }
    tensor *sum = pool[0];
    for (int i = 1; i < POOL; ++i) sum = op_add(sum, pool[i]);
    return op_mean_all(op_square(sum));
}

static void assert_no_overlap(const graph *g)
{
    int64_t limit = device_get_info(g->device)->max_buffer_bytes;
    for (int i = 0; i < g->storage_count; ++i) {
        const storage *a = g->storages[i];
        if (a->place != STORAGE_PLANNED || a->first < 0) continue;
        assert_true(a->slab < g->slab_count && a->offset_bytes % STORAGE_ALIGN == 0);
        assert_true(a->offset_bytes + a->bytes <= g->slab_bytes[a->slab]);
        assert_true(g->slab_bytes[a->slab] <= limit);
        for (int k = 0; k < i; ++k) {
            const storage *b = g->storages[k];
            if (b->place != STORAGE_PLANNED || b->first < 0 || b->slab != a->slab) continue;
            bool together = a->first <= b->last && b->first <= a->last;
            bool overlap =
                a->offset_bytes < b->offset_bytes + b->bytes && b->offset_bytes < a->offset_bytes + a->bytes;
            if (together && overlap)
                fail_msg("'%s' [%d,%d] and '%s' [%d,%d] overlap", a->name, a->first, a->last, b->name,
                         b->first, b->last);
        }
    }
}

static void test_nothing_alive_overlaps(void **state)
{
    fixture *f = *state;
    for (uint32_t seed = 1; seed <= 25; ++seed) {
        error err = { 0 };
        graph *g = graph_create(f->store, &err);
        graph_backward(g, random_graph(g, seed, 40));
        for (int i = 0; i < store_count(f->store); ++i) {
            tensor *gradient = graph_gradient(g, graph_entry(g, store_at(f->store, i)));
            if (gradient) graph_keep(gradient);
        }
        graph_plan_info info;
        if (!graph_plan(g, &info, &err)) fail_msg("%s", err.message);
        assert_no_overlap(g);
        assert_true(info.work_bytes < info.naive_bytes);
        graph_destroy(g);
    }
}

/* The same loss and gradients when all work memory is NaN before the run: nothing reads what it must not. */
static void test_runs_do_not_depend_on_old_memory(void **state)
{
    fixture *f = *state;
    for (uint32_t seed = 101; seed <= 103; ++seed) {
        error err = { 0 };
        graph *g = graph_create(f->store, &err);
        tensor *loss = random_graph(g, seed, 30);
        graph_backward(g, loss);
        tensor *gradient = NULL;
        for (int i = 0; !gradient && i < store_count(f->store); ++i)
            gradient = graph_gradient(g, graph_entry(g, store_at(f->store, i)));
        assert_non_null(gradient);
        gradient = op_contiguous(gradient);
        graph_keep(gradient);
        graph_keep(loss);
        compile(g);
        float first[WIDTH * WIDTH], second[WIDTH * WIDTH], value;
        run(g);
        get(gradient, first);
        graph_poison_memory(g, true);
        run(g);
        get(gradient, second);
        get(loss, &value);
        assert_memory_equal(first, second, sizeof first);
        assert_true(value == value);
        graph_destroy(g);
    }
}

/* A chain needs two tensors at a time however long it is. */
static void test_a_chain_reuses_memory(void **state)
{
    fixture *f = *state;
    tensor *x = graph_input(f->graph, "x", DTYPE_F32, 1, (int64_t[]){ 1 << 16 });
    for (int i = 0; i < 50; ++i) x = op_relu(op_scale(x, 2));
    graph_keep(x);
    graph_plan_info info;
    error err = { 0 };
    assert_true(graph_plan(f->graph, &info, &err));
    assert_int_equal(info.work_bytes, 2 * 4 << 16);
    assert_int_equal(info.naive_bytes, 100 * 4 << 16);
    assert_int_equal(info.input_bytes, 4 << 16);
    assert_int_equal(info.slabs, 1);
}

/* Eight tensors alive together, each 3/8 of the largest buffer: two to a slab.  Planned, never allocated. */
static void test_slabs_stay_within_the_largest_buffer(void **state)
{
    fixture *f = *state;
    int64_t limit = device_get_info(f->device)->max_buffer_bytes, each = limit / 8 * 3 / 4096 * 1024;
    tensor *x = graph_input(f->graph, "x", DTYPE_F32, 1, &each), *parts[8];
    for (int i = 0; i < 8; ++i) parts[i] = op_scale(x, (float)i);
    for (int i = 0; i < 8; ++i) graph_keep(parts[i]);
    graph_plan_info info;
    error err = { 0 };
    assert_true(graph_plan(f->graph, &info, &err));
    assert_int_equal(info.slabs, 4);
    assert_no_overlap(f->graph);
}

static void test_what_does_not_fit_names_the_knob(void **state)
{
    fixture *f = *state;
    const device_info *d = device_get_info(f->device);
    int64_t each = d->max_buffer_bytes / 4096 * 1024;
    tensor *x = graph_input(f->graph, "x", DTYPE_F32, 1, (int64_t[]){ 16 });
    tensor *wide = graph_input(f->graph, "wide", DTYPE_F32, 1, &each);
    int count = (int)(d->memory_bytes / (each * 4)) + 2;
    for (int i = 0; i < count; ++i) graph_keep(op_scale(wide, (float)i));
    graph_keep(op_relu(x));
    error err = { 0 };
    int64_t before = device_allocated_bytes(f->device);
    assert_false(graph_compile(f->graph, 1, "batch (32)", &err));
    assert_int_equal(err.code, ERROR_ROOM);
    assert_non_null(strstr(err.message, "batch (32)"));
    assert_non_null(strstr(err.message, d->name));
    assert_int_equal(device_allocated_bytes(f->device), before);
}

static void test_one_tensor_larger_than_a_buffer(void **state)
{
    fixture *f = *state;
    int64_t rows = device_get_info(f->device)->max_buffer_bytes / 4096 + 1;
    tensor *x = graph_input(f->graph, "x", DTYPE_F32, 2, (int64_t[]){ rows, 1 });
    tensor *y = graph_input(f->graph, "y", DTYPE_F32, 2, (int64_t[]){ 1, 1024 });
    graph_push(f->graph, "outer");
    graph_keep(op_matmul(x, y));
    graph_pop(f->graph);
    error err = { 0 };
    graph_plan_info info;
    assert_true(graph_plan(f->graph, &info, &err)); /* on paper */
    assert_true(info.largest_bytes >= rows * 4096);
    assert_false(graph_compile(f->graph, 1, "rows", &err));
    assert_int_equal(err.code, ERROR_ROOM);
    assert_non_null(strstr(err.message, "outer"));
    assert_non_null(strstr(err.message, "largest buffer"));
    assert_non_null(strstr(err.message, "lower rows"));
}

/* What is computed between two keeps: w x, squared `times` times over. */
static tensor *work(graph *g, int64_t rows, int times)
{
    tensor *w = parameter(g, "w", 2, (int64_t[]){ WIDTH, WIDTH }),
           *x = graph_fill(g, 0.01f, 2, (int64_t[]){ rows, WIDTH }, DTYPE_F32);
    for (int i = 0; i < times; ++i) x = op_scale(op_matmul(x, w), 0.5f);
    graph_keep(x);
    graph_poison_memory(g, true);
    return x;
}

/* Of one graph's memory another uses what it does not keep; both compute what they did alone. */
static void test_memory_is_lent(void **state)
{
    enum { ROWS = 64, TIMES = 5, ALL = ROWS * WIDTH };
    fixture *f = *state;
    float alone[ALL], lent[ALL], again[ALL];
    error err = { 0 };
    graph *second = graph_create(f->store, &err);
    assert_non_null(second);
    tensor *y = work(f->graph, ROWS, TIMES), *z = work(second, ROWS / 2, TIMES + 1);
    compile(f->graph);
    run(f->graph);
    get(y, alone);
    graph_lend(f->graph);
    const int64_t before = device_allocated_bytes(f->device);
    compile(second);
    /* Only what it keeps, and small scratch at most, is its own. */
    assert_in_range(device_allocated_bytes(f->device) - before, ALL / 2 * 4, ALL / 2 * 4 + 4096);
    run(second);
    get(z, lent);
    run(f->graph);
    get(y, again);
    assert_memory_equal(alone, again, sizeof alone);
    get(z, again); /* kept while the other ran */
    assert_memory_equal(lent, again, ALL / 2 * 4);
    graph_destroy(second);
    run(f->graph);
    get(y, again);
    assert_memory_equal(alone, again, sizeof alone);
}

/* What does not go into the memory that is lent has its own. */
static void test_more_than_is_lent(void **state)
{
    enum { ROWS = 16 };
    fixture *f = *state;
    float few[ROWS * WIDTH], many[8 * ROWS * WIDTH];
    error err = { 0 };
    graph *second = graph_create(f->store, &err);
    assert_non_null(second);
    tensor *y = work(f->graph, ROWS, 3), *z = work(second, 8 * ROWS, 3);
    compile(f->graph);
    graph_lend(f->graph);
    compile(second);
    run(f->graph);
    get(y, few); /* before the other runs */
    run(second);
    get(z, many);
    for (int i = 0; i < 8; ++i) assert_memory_equal(few, many + i * ROWS * WIDTH, sizeof few);
    graph_destroy(second);
}

static void test_some_is_left(void **state)
{
    fixture *f = *state;
    const device_info *d = device_get_info(f->device);
    error err = { 0 };
    work(f->graph, 16, 2);
    graph_reserve(f->graph, d->memory_bytes);
    assert_false(graph_compile(f->graph, 1, "rows", &err));
    assert_int_equal(err.code, ERROR_ROOM);
    graph_reserve(f->graph, d->memory_bytes / 2);
    compile(f->graph);
}

int main(void)
{
    fixture f = { .device = device_or_skip() };
    struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_nothing_alive_overlaps),
        FIXTURE_TEST(test_runs_do_not_depend_on_old_memory),
        FIXTURE_TEST(test_a_chain_reuses_memory),
        FIXTURE_TEST(test_slabs_stay_within_the_largest_buffer),
        FIXTURE_TEST(test_what_does_not_fit_names_the_knob),
        FIXTURE_TEST(test_one_tensor_larger_than_a_buffer),
        FIXTURE_TEST(test_memory_is_lent),
        FIXTURE_TEST(test_more_than_is_lent),
        FIXTURE_TEST(test_some_is_left),
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; ++i) tests[i].initial_state = &f;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    device_close(f.device);
    return failed;
}

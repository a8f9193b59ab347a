/* fixture.h -- a device for the program, a store and a graph for each test of the graph room.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_GRAPH_FIXTURE_H
#define DALLE_CL_TESTS_GRAPH_FIXTURE_H

#include "host/ops/ops.h"
#include "tests/support/device_or_skip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

typedef struct fixture {
    device *device;
    store *store;
    graph *graph;
} fixture;

static inline void fixture_begin(void **state)
{
    fixture *f = *state;
    error err = { 0 };
    f->store = store_create(f->device, &err);
    f->graph = f->store ? graph_create(f->store, &err) : NULL;
    if (!f->graph) fail_msg("%s", err.message);
}

static inline int fixture_setup(void **state)
{
    fixture_begin(state);
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture *f = *state;
    graph_destroy(f->graph);
    store_destroy(f->store);
    return 0;
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static inline tensor *parameter(graph *g, const char *name, int rank, const int64_t *dim)
{
    parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, true, false };
    return graph_parameter(g, name, spec, rank, dim);
}

static inline void compile(graph *g)
{
    error err = { 0 };
    if (!graph_compile(g, 7, NULL, &err)) fail_msg("%s", err.message);
}

static inline void run(graph *g)
{
    error err = { 0 };
    if (!graph_run(g, &err)) fail_msg("%s", err.message);
}

static inline void set(tensor *t, const void *values)
{
    error err = { 0 };
    if (!graph_write(t, values, &err)) fail_msg("%s", err.message);
}

static inline void get(tensor *t, float *values)
{
    error err = { 0 };
    if (!graph_read_f32(t, values, &err)) fail_msg("%s", err.message);
}

#endif

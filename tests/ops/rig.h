/* rig.h -- a device, a store and a graph for tests that op_check's tables do not fit.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_OPS_RIG_H
#define DALLE_CL_TESTS_OPS_RIG_H

#include "host/base/philox.h"
#include "host/ops/ops.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <string.h>

typedef struct rig {
    device *device;
    store *store;
    graph *graph;
} rig;

static inline void rig_must(bool ok, const error *err, const char *what)
{
    if (ok) return;
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(EXIT_FAILURE);
}

/* Shapes of kernels that every test runs at. */
static const int rig_shapes[][2] = { { 1, 16 }, { 1, 1 }, { 8, 4 }, { 64, 2 } };
#define RIG_SHAPES (getenv("DALLE_CL_TINY") ? 3 : 4)

static inline rig rig_open(int shape)
{
    error err = { 0 };
    rig r = { .device = device_or_skip() };
    int lanes = rig_shapes[shape][0];
    while (!device_set_shape(r.device, lanes, rig_shapes[shape][1])) lanes /= 2;
    r.store = store_create(r.device, &err);
    rig_must(r.store != NULL, &err, "store_create");
    r.graph = graph_create(r.store, &err);
    rig_must(r.graph != NULL, &err, "graph_create");
    return r;
}

static inline void rig_close(rig *r)
{
    graph_destroy(r->graph);
    store_destroy(r->store);
    device_close(r->device);
}

#define RIG_DIM(...) \
    (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]) \
    { \
        __VA_ARGS__ \
    }

static inline tensor *rig_input(rig *r, const char *name, dtype type, int rank, const int64_t *dim)
{
    return graph_input(r->graph, name, type, rank, dim);
}

/* A store entry that operators update in place. */
static inline tensor *rig_state(rig *r, const char *name, dtype type, int rank, const int64_t *dim)
{
    return graph_entry(r->graph, store_declare(r->store, name, STORE_STATE, type, rank, dim));
}

static inline void rig_compile(rig *r)
{
    error err = { 0 };
    graph_poison_memory(r->graph, true);
    rig_must(graph_compile(r->graph, 1, "batch", &err), &err, "graph_compile");
}

static inline void rig_write(tensor *t, const void *values)
{
    error err = { 0 };
    const store_entry *e = graph_entry_of(t);
    if (e) {
        store *s = graph_store(t->graph);
        rig_must(store_write(s, store_find(s, e->name), values, &err), &err, "store_write");
    } else {
        rig_must(graph_write(t, values, &err), &err, "graph_write");
    }
}

static inline void rig_run(rig *r)
{
    error err = { 0 };
    rig_must(graph_run(r->graph, &err), &err, "graph_run");
}

static inline void rig_read(tensor *t, void *values)
{
    error err = { 0 };
    const store_entry *e = graph_entry_of(t);
    if (e)
        rig_must(store_read(graph_store(t->graph), e, values, &err), &err, "store_read");
    else
        rig_must(graph_read(t, values, &err), &err, "graph_read");
}

/* Uniform in [low, high), from Philox. */
static inline void rig_fill(float *values, int64_t count, uint32_t stream, float low, float high)
{
    philox p = { 42, 0, stream };
    for (int64_t i = 0; i < count; ++i) values[i] = low + (high - low) * philox_uniform(&p, (uint32_t)i);
}

#endif

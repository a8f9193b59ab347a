/* powersgd_rig.h -- runs of ranks whose gradients are known and compressed, for test_powersgd.c.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_TRAIN_POWERSGD_RIG_H
#define DALLE_CL_TESTS_TRAIN_POWERSGD_RIG_H

#include "host/base/philox.h"
#include "host/ops/ops.h"
#include "host/train/checkpoint.h"
#include "host/train/optimizer.h"
#include "tests/support/comm_threads.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* a00 .. a11 are alike and more than go together; c is a convolution's; of the rest nothing is compressed. */
enum {
    ALIKE = 12,
    COMPRESSED = ALIKE + 2,
    PARAMETERS = COMPRESSED + 3,
    RANK = 4,
    COUNT = 240,
    RANKS = 4,
    STEPS = 4
};

typedef struct shape {
    int rank;
    int64_t dim[4];
    bool wide;
} shape;

static inline shape shape_of(int k)
{
    if (k < ALIKE) return (shape){ 2, { 12, 20 }, false };
    switch (k - ALIKE) {
    case 0:
        return (shape){ 2, { 20, 12 }, false };
    case 1:
        return (shape){ 4, { 6, 3, 3, 4 }, false };
    case 2:
        return (shape){ 2, { 16, 12 }, true };
    case 3:
        return (shape){ 1, { 40 }, false };
    default:
        return (shape){ 2, { 4, 5 }, false };
    }
}

static inline int64_t count_of(int k)
{
    const shape s = shape_of(k);
    int64_t count = 1;
    for (int i = 0; i < s.rank; ++i) count *= s.dim[i];
    return count;
}

static inline void name_of(int k, char name[16])
{
    snprintf(name, 16, "%c%02d", k < ALIKE ? 'a' : 'b' + k - ALIKE, k);
}

/* What all ranks do, and what each has seen. */
typedef struct job {
    dtype type;
    int ranks, steps, parts;
    int bad_step, bad_rank; /* whose gradients of a03 and c are not finite; -1: none */
    int saved, resumed;     /* after that many steps; -1: never */
    const char *path;
    bool beside; /* the device's work; otherwise sums are waited for */
} job;

typedef struct seen {
    const job *job;
    float gradient[STEPS][COMPRESSED][COUNT], error[STEPS][COMPRESSED][COUNT], q[COMPRESSED][COUNT];
    float status[STEPS][4];
    int64_t sent;
    powersgd_size size;
} seen;

static inline float gradient_at(const job *j, int rank, int step, int part, int k, int64_t i)
{
    char name[40];
    snprintf(name, sizeof name, "%d.%d.%d", rank, k, part);
    philox p = { .seed = 5, .step = (uint32_t)step, .stream = philox_stream(name) };
    if (step == j->bad_step && rank == j->bad_rank && k == 3 && i == 7) return NAN;
    if (step == j->bad_step && rank == j->bad_rank && k == ALIKE + 1 && i == 100) return INFINITY;
    return 0.1f * philox_normal(&p, (uint32_t)i);
}

/* ---- A rank ---- */

typedef struct rig {
    device *device;
    store *store;
    graph *graph;
    optimizer *optimizer;
    division division;
    tensor *given[PARAMETERS];
    const job *job;
    int rank, step;
} rig;

/* loss = sum of p_k . given_k, whose gradient is what is given. */
static inline bool rig_open(rig *r, const job *j, comm *c, error *err)
{
    *r = (rig){ .job = j, .rank = comm_rank(c) };
    if (!(r->device = device_open(NULL, err)) || !(r->store = store_create(r->device, err)) ||
        !(r->graph = graph_create(r->store, err)))
        return false;
    store_set_ranks(r->store, comm_count(c));
    graph *g = r->graph;
    tensor *loss = NULL;
    for (int k = 0; k < PARAMETERS; ++k) {
        char name[16], given[32];
        name_of(k, name);
        snprintf(given, sizeof given, "given.%s", name);
        const shape s = shape_of(k);
        const parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, true, s.wide };
        tensor *p = graph_parameter(g, name, spec, s.rank, s.dim);
        r->given[k] = graph_input(g, given, DTYPE_F32, s.rank, s.dim);
        tensor *part = op_sum_all(op_mul(p, r->given[k]));
        loss = loss ? op_add(loss, part) : part;
    }
    graph_backward(g, loss);
    tensor *random = graph_input(g, "random", DTYPE_I32, 1, (int64_t[]){ 4 });
    r->division = division_among((division){ .parts = j->parts, .samples = 1, .random = random }, NULL);
    if (j->beside && c) {
        r->division.traffic = ranks_traffic_create(g, c, j->parts);
        r->division.comm = c;
        r->division.ranks = comm_count(c);
    }
    const optimizer_settings s = { .beta2 = 0.9f, .epsilon = 1e-8f, .compress = { RANK, j->type, c } };
    r->optimizer = optimizer_append_divided(g, division_mean(&r->division, "loss", loss), &s, &r->division);
    return graph_compile(g, 3, "batch", err);
}

static inline void rig_close(rig *r)
{
    graph_destroy(r->graph);
    store_destroy(r->store);
    device_close(r->device);
}

static inline bool write_part(void *context, int64_t part, error *err)
{
    const rig *r = context;
    const int32_t random[4] = { 0, 0, 0, (int32_t)part };
    bool ok = graph_write(r->division.random, random, err);
    for (int k = 0; ok && k < PARAMETERS; ++k) {
        float values[COUNT];
        for (int64_t i = 0; i < count_of(k); ++i)
            values[i] = gradient_at(r->job, r->rank, r->step, (int)part, k, i);
        ok = graph_write(r->given[k], values, err);
    }
    return ok;
}

static inline const store_entry *kin_of(const rig *r, int k, store_kind kind)
{
    char name[16];
    name_of(k, name);
    return store_kin(store_find(r->store, name), kind);
}

/* The mean is the gradient: beta1 is 0. */
static inline bool look(rig *r, seen *s, int step, error *err)
{
    bool ok = graph_read(optimizer_status(r->optimizer), s->status[step], err);
    for (int k = 0; ok && k < COMPRESSED; ++k)
        ok = store_read_f32(r->store, kin_of(r, k, STORE_MEAN), s->gradient[step][k], err) &&
             store_read_f32(r->store, kin_of(r, k, STORE_ERROR), s->error[step][k], err);
    return ok;
}

static inline bool look_at_projections(rig *r, seen *s, error *err)
{
    bool ok = true;
    for (int k = 0; ok && k < COMPRESSED; ++k) {
        char name[16], q[40];
        name_of(k, name);
        snprintf(q, sizeof q, "powersgd.q.%s", name);
        ok = store_read_f32(r->store, store_find(r->store, q), s->q[k], err);
    }
    return ok;
}

static inline bool run_rank(comm *c, void *self, error *err)
{
    seen *s = self;
    const job *j = s->job;
    rig r;
    bool ok = rig_open(&r, j, c, err) && look_at_projections(&r, s, err);
    s->size = ok ? powersgd_measure(r.store) : (powersgd_size){ 0 };
    if (ok && j->resumed >= 0) ok = checkpoint_load(r.store, j->path, NULL, err);
    const int64_t before = comm_bytes_sent(c);
    for (r.step = j->resumed >= 0 ? j->resumed : 0; ok && r.step < j->steps; ++r.step) {
        ok = optimizer_schedule(r.optimizer, r.step, 0.0, 1.0, err) &&
             division_run(&r.division, r.graph, write_part, &r, err) && look(&r, s, r.step, err);
        s->sent = comm_bytes_sent(c) - before;
        if (!ok || r.step + 1 != j->saved) continue;
        ok = powersgd_settle(r.store, c, err);
        if (ok && r.rank == 0) ok = checkpoint_save(r.store, j->path, NULL, 0, err);
        ok = ok && comm_barrier(c, err);
    }
    rig_close(&r);
    return ok;
}

static inline seen *run(const job *j)
{
    error err = { 0 };
    seen *all = calloc((size_t)j->ranks, sizeof *all);
    void *selves[RANKS];
    assert_non_null(all);
    for (int r = 0; r < j->ranks; ++r) {
        all[r].job = j;
        selves[r] = &all[r];
    }
    if (!comm_threads(j->ranks, run_rank, selves, &err)) fail_msg("%s", err.message);
    return all;
}

static const job usual = {
    .type = DTYPE_F32, .ranks = 1, .steps = STEPS, .parts = 1, .bad_step = -1, .saved = -1, .resumed = -1
};

#endif

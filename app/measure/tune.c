/* tune.c -- times every way of doing a matrix product; see tune.h.
 * A way's result is compared with that of the rules' way before its time counts.  The ways of a product take
 * turns, so that a slow moment of the machine meets all of them.
 * SPDX-License-Identifier: MIT */
#include "app/measure/tune.h"

#include "host/base/log.h"
#include "host/base/philox.h"
#include "host/base/timing.h"
#include "host/ops/cases/gemm_reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS      5
#define WORTH       0.95 /* of the rules' time, in all rounds but one: nearer than that is chance */
#define BLOCK_BYTES (1 << 16)

/* ---- The products of a step ---- */

static void collect(void *context, const gemm_desc *desc)
{
    tune_products *p = context;
    char shape[GEMM_SHAPE_SIZE], other[GEMM_SHAPE_SIZE];
    gemm_shape_text(desc, shape);
    for (int i = 0; i < p->count; ++i) {
        gemm_shape_text(&p->list[i], other);
        if (strcmp(shape, other) == 0) return;
    }
    if (p->count == p->room) {
        const int room = p->room ? 2 * p->room : 64;
        gemm_desc *more = realloc(p->list, (size_t)room * sizeof *more);
        p->failed = p->failed || !more;
        if (!more) return;
        p->list = more;
        p->room = room;
    }
    p->list[p->count++] = *desc;
}

static double work_of(const gemm_desc *g)
{
    return (double)g->m * (double)g->n * (double)g->k * (double)(g->batch[0] * g->batch[1]);
}

static int by_work(const void *a, const void *b)
{
    const double x = work_of(a), y = work_of(b);
    return (x < y) - (x > y);
}

bool tune_collect(tune_products *p, workload *w, device *d, error *err)
{
    workload_size size;
    *p = (tune_products){ 0 };
    gemm_watch(d, collect, p);
    bool ok = workload_plan(w, &size, err);
    gemm_watch(d, NULL, NULL);
    if (ok && p->failed) ok = error_set(err, ERROR_MEMORY, "out of memory for the products of a step");
    if (p->count) qsort(p->list, (size_t)p->count, sizeof *p->list, by_work);
    return ok;
}

/* ---- One product ---- */

enum { A, B, C, BIAS, PREACTIVATION, POINT, RESIDUAL, OPERANDS };

typedef struct way {
    char name[GEMM_WAY_SIZE];
    gemm_plan *plan;
    device_buffer *workspace;
    device_launches *launches;
    double seconds[ROUNDS], median;
    int faster; /* rounds in which it clearly beat the rules' way */
    bool right;
} way;

typedef struct trial {
    device *device;
    const gemm_desc *desc;
    device_buffer *operands[OPERANDS];
    int64_t c_count;
    void *got;
    float *want;
    way ways[GEMM_WAYS_MAX];
    int count;
} trial;

/* Values between -1 and 1, one block of them again and again. */
static device_buffer *random_buffer(device *d, dtype type, int64_t count, uint32_t stream, error *err)
{
    static char block[BLOCK_BYTES];
    const int64_t width = (int64_t)dtype_bytes(type), bytes = (count + 16) * width;
    const philox draw = { .seed = 1, .stream = stream };
    for (int64_t i = 0; i < BLOCK_BYTES / width; ++i)
        dtype_store(type, block, i, 2.0f * philox_uniform(&draw, (uint32_t)i) - 1.0f);
    device_buffer *b = device_buffer_create(d, bytes, err);
    for (int64_t at = 0; b && at < bytes; at += BLOCK_BYTES) {
        if (device_write(d, b, at, block, bytes - at < BLOCK_BYTES ? bytes - at : BLOCK_BYTES, err)) continue;
        device_buffer_destroy(b);
        b = NULL;
    }
    return b;
}

static bool make_operands(trial *t, error *err)
{
    const gemm_desc *g = t->desc;
    t->c_count = gemm_reference_extent(&g->c, g->m, g->n, g->batch);
    const int64_t counts[OPERANDS] = { gemm_reference_extent(&g->a, g->m, g->k, g->batch),
                                       gemm_reference_extent(&g->b, g->k, g->n, g->batch),
                                       t->c_count,
                                       g->n,
                                       g->preactivation ? t->c_count : 1,
                                       g->slope ? t->c_count : 1,
                                       g->residual ? t->c_count : 1 };
    const dtype c = g->c.type, bias = g->bias ? g->bias_type : DTYPE_F32;
    const dtype types[OPERANDS] = { g->a.type, g->b.type, c, bias, c, c, c };
    for (int i = 0; i < OPERANDS; ++i)
        if (!(t->operands[i] = random_buffer(t->device, types[i], counts[i], (uint32_t)i, err))) return false;
    t->got = malloc((size_t)t->c_count * dtype_bytes(g->c.type));
    t->want = malloc((size_t)t->c_count * sizeof(float));
    return (t->got && t->want) || error_set(err, ERROR_MEMORY, "out of memory for comparing products");
}

static void drop_way(way *w)
{
    device_launches_destroy(w->launches);
    device_buffer_destroy(w->workspace);
    gemm_plan_destroy(w->plan);
    w->launches = NULL;
    w->workspace = NULL;
    w->plan = NULL;
}

static bool prepare_way(const trial *t, way *w, error *err)
{
    device *d = t->device;
    gemm_buffers b = { t->operands[A],
                       t->operands[B],
                       t->operands[C],
                       t->operands[BIAS],
                       t->operands[PREACTIVATION],
                       t->operands[POINT],
                       t->operands[RESIDUAL],
                       .workspace = NULL };
    if (!(w->plan = gemm_plan_create_with(d, w->name, t->desc, err))) return false;
    const int64_t bytes = gemm_plan_workspace_bytes(w->plan);
    if (bytes && !(w->workspace = device_buffer_create(d, bytes, err))) return false;
    b.workspace = w->workspace;
    w->launches = device_launches_create(d, err);
    return w->launches && gemm_plan_record(w->plan, w->launches, "tune", &b, err);
}

/* Mean seconds of `runs` runs. */
static bool time_way(const trial *t, const way *w, int runs, double *seconds, error *err)
{
    const double begin = timing_now();
    for (int i = 0; i < runs; ++i)
        if (!device_launches_run(w->launches, 0, device_launches_count(w->launches), err)) return false;
    if (!device_finish(t->device, err)) return false;
    *seconds = (timing_now() - begin) / runs;
    return true;
}

/* Runs once on a C of zeros; the first way's result is what the others are compared with. */
static bool check_way(trial *t, int which, double *seconds, error *err)
{
    const dtype type = t->desc->c.type;
    const int64_t width = (int64_t)dtype_bytes(type);
    way *w = &t->ways[which];
    if (!device_fill(t->device, t->operands[C], 0, t->c_count * width / 4 * 4, 0, err) ||
        !time_way(t, w, 1, seconds, err) ||
        !device_read(t->device, t->operands[C], 0, t->got, t->c_count * width, err))
        return false;
    double largest = 0, difference = 0;
    for (int64_t i = 0; i < t->c_count; ++i) {
        const float value = dtype_load(type, t->got, i);
        if (which == 0) t->want[i] = value;
        largest = fmax(largest, fabs((double)t->want[i]));
        difference = fmax(difference, fabs((double)value - (double)t->want[i]));
        if (!isfinite(value)) difference = (double)INFINITY;
    }
    w->right = difference <= (type == DTYPE_F32 ? 1e-4 : 2e-2) * largest;
    if (!w->right) log_warn("%s is wrong by %.2g of %.2g and is left out", w->name, difference, largest);
    return true;
}

/* All ways in turns, within about `seconds`. */
static bool time_ways(trial *t, double seconds, error *err)
{
    int runs[GEMM_WAYS_MAX];
    for (int i = 0; i < t->count; ++i) {
        double once;
        if (!check_way(t, i, &once, err) || !time_way(t, &t->ways[i], 1, &once, err)) return false;
        runs[i] = (int)fmax(1, fmin(1000, seconds / (ROUNDS * t->count) / fmax(once, 1e-6)));
    }
    for (int round = 0; round < ROUNDS; ++round)
        for (int i = 0; i < t->count; ++i)
            if (!time_way(t, &t->ways[i], runs[i], &t->ways[i].seconds[round], err)) return false;
    for (int i = 0; i < t->count; ++i)
        for (int round = 0; round < ROUNDS; ++round)
            t->ways[i].faster += t->ways[i].seconds[round] < WORTH * t->ways[0].seconds[round];
    for (int i = 0; i < t->count; ++i) {
        timing_sort(t->ways[i].seconds, ROUNDS);
        t->ways[i].median = t->ways[i].seconds[ROUNDS / 2];
    }
    return true;
}

static void trial_close(trial *t)
{
    for (int i = 0; i < t->count; ++i) drop_way(&t->ways[i]);
    for (int i = 0; i < OPERANDS; ++i) device_buffer_destroy(t->operands[i]);
    free(t->got);
    free(t->want);
}

/* The fastest right way; the rules' one unless another is clearly faster. */
static const way *best_way(const trial *t)
{
    const way *best = &t->ways[0];
    for (int i = 1; i < t->count; ++i) {
        const way *w = &t->ways[i];
        if (w->right && w->faster >= ROUNDS - 1 && w->median < best->median) best = w;
    }
    return best;
}

static bool trial_run(trial *t, double seconds, error *err)
{
    char names[GEMM_WAYS_MAX][GEMM_WAY_SIZE];
    t->count = gemm_ways(t->device, t->desc, names);
    if (t->count < 2) return true;
    if (!make_operands(t, err)) return false;
    for (int i = 0; i < t->count; ++i) {
        memcpy(t->ways[i].name, names[i], GEMM_WAY_SIZE);
        if (!prepare_way(t, &t->ways[i], err)) return false;
    }
    return time_ways(t, seconds, err);
}

bool tune_product(device *d, const gemm_desc *desc, double seconds, tune_result *r, error *err)
{
    trial t = { .device = d, .desc = desc };
    bool ok = trial_run(&t, seconds, err);
    *r = (tune_result){ .ways = t.count };
    if (ok && t.count > 1) {
        const way *best = best_way(&t), *rules = &t.ways[0];
        r->changed = best != rules;
        memcpy(r->best, best->name, sizeof r->best);
        memcpy(r->rules, rules->name, sizeof r->rules);
        r->best_seconds = best->median;
        r->rules_seconds = rules->median;
    }
    trial_close(&t);
    return ok;
}

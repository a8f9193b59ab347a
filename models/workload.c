/* workload.c -- see workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/workload.h"

#include "host/base/philox.h"
#include "host/base/timing.h"
#include "host/graph/split.h"
#include "host/ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_STEPS = 5, TIMED_STEPS = 8, TIMED_SECONDS = 4 };

struct workload {
    const workload_type *type;
    void *self;
    store *store;
    workload_step step;
    int64_t done; /* steps */
};

static workload *create(device *d, const workload_type *type, void *self, error *err)
{
    workload *w = calloc(1, sizeof *w);
    if (!w) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    w->type = type;
    if ((w->store = store_create(d, err))) {
        w->self = self;
        return w;
    }
    free(w);
    return NULL;
}

workload *workload_create(device *d, const workload_type *type, void *self, error *err)
{
    workload *w = self ? create(d, type, self, err) : NULL;
    if (self && !w) type->destroy(self);
    if (!w || type->build(self, w->store, &w->step, err)) return w;
    workload_destroy(w);
    return NULL;
}

void workload_destroy(workload *w)
{
    if (!w) return;
    graph_destroy(w->step.graph);
    w->type->destroy(w->self);
    store_destroy(w->store);
    free(w);
}

static void add_entry(workload_size *size, const store *s, const store_entry *e)
{
    int64_t bytes = e->count * (int64_t)dtype_bytes(e->type);
    size->padding_bytes += store_entry_bytes(e) - bytes;
    if (e->kind == STORE_PARAMETER) {
        size->parameters += split_count(s, e);
        size->parameter_bytes += bytes;
    } else if (e->kind == STORE_MEAN || e->kind == STORE_VARIANCE) {
        size->moment_bytes += bytes;
    } else if (e->kind == STORE_AVERAGE) {
        size->ema_bytes += bytes;
    } else if (e->kind == STORE_ERROR || e->kind == STORE_FIXED) {
        size->error_bytes += bytes;
    } else if (e->kind == STORE_SUM) {
        size->sum_bytes += bytes;
    } else {
        size->state_bytes += bytes;
    }
}

/* All products of a step belong to the parts, but for those of a loss that joins them. */
static int64_t times_run(const division *d, const node *n)
{
    return division_is_once(d, n) ? 1 : d->parts;
}

bool workload_plan(workload *w, workload_size *size, error *err)
{
    graph *g = w->step.graph;
    graph_plan_info info;
    *size = (workload_size){ 0 };
    if (!g) return true;
    if (!graph_plan(g, &info, err)) return false;
    for (int i = 0; i < store_count(w->store); ++i) add_entry(size, w->store, store_at(w->store, i));
    size->compressed = powersgd_measure(w->store);
    size->input_bytes = info.input_bytes;
    size->work_bytes = info.work_bytes + info.library_bytes;
    size->largest_bytes = info.largest_bytes;
    snprintf(size->largest_name, sizeof size->largest_name, "%s", info.largest_name ? info.largest_name : "");
    for (int i = 0; i < graph_node_count(g); ++i) {
        const node *n = graph_node_at(g, i);
        if (n->live) size->flops += node_flops(n) * (double)times_run(w->step.division, n);
    }
    size->parts = w->step.division->parts;
    return true;
}

int64_t workload_bytes(const workload_size *s)
{
    return s->parameter_bytes + s->moment_bytes + s->ema_bytes + s->error_bytes + s->state_bytes +
           s->sum_bytes + s->padding_bytes + s->input_bytes + s->work_bytes;
}

/* ---- For many ranks ---- */

static int bytes_of_kin(const store_entry *e, store_kind kind)
{
    const store_entry *k = store_kin(e, kind);
    return k ? (int)dtype_bytes(k->type) : 0;
}

static void add_parameter(scale_step *out, const store_entry *e, const char **last_name)
{
    const bool vector = e->rank < 2;
    const scale_array *before = out->count ? &out->arrays[out->count - 1] : NULL;
    const int block = before ? before->block + !split_together(e->name, *last_name) : 0;
    out->arrays[out->count++] = (scale_array){
        .rows = vector ? e->count : e->dim[0],
        .columns = vector ? 1 : e->count / e->dim[0],
        .last = vector ? 0 : e->dim[e->rank - 1],
        .wide = e->wide,
        .block = block,
        .parameter = (int)dtype_bytes(e->type),
        .moments = bytes_of_kin(e, STORE_MEAN) + bytes_of_kin(e, STORE_VARIANCE),
        .average = bytes_of_kin(e, STORE_AVERAGE),
    };
    *last_name = e->name;
}

/* Copies of whole parameters in fewer bits, which products read. */
static void find_copies(const workload *w, scale_step *out)
{
    for (int i = 0; i < graph_node_count(w->step.graph); ++i) {
        const node *n = graph_node_at(w->step.graph, i);
        const store_entry *of =
            n->live && !strcmp(n->def->name, "cast_weight") ? graph_entry_of(n->in[0]) : NULL;
        for (int k = 0, p = 0; of && k < store_count(w->store); ++k) {
            const store_entry *e = store_at(w->store, k);
            if (e == of) out->arrays[p].cast = (int)dtype_bytes(n->out[0]->type);
            p += e->kind == STORE_PARAMETER;
        }
    }
}

/* What leads to the loss is the forward pass. */
static bool add_flops(const workload *w, scale_step *out, error *err)
{
    const graph *g = w->step.graph;
    const int count = graph_node_count(g);
    bool *forward = calloc((size_t)count + 1, sizeof *forward);
    if (!forward) return error_set(err, ERROR_MEMORY, "out of memory for %d nodes", count);
    if (w->step.loss->from) forward[w->step.loss->from->index] = true;
    for (int i = count - 1; i >= 0; --i) {
        const node *n = graph_node_at(g, i);
        for (int k = 0; forward[i] && k < n->in_count; ++k)
            if (n->in[k] && n->in[k]->from) forward[n->in[k]->from->index] = true;
        double *to = division_is_once(w->step.division, n) ? &out->once
                     : forward[i]                          ? &out->forward
                                                           : &out->backward;
        if (n->live) *to += node_flops(n);
    }
    free(forward);
    return true;
}

bool workload_scale(workload *w, workload_size *size, scale_step *out, error *err)
{
    const char *last_name = NULL;
    *out = (scale_step){ 0 };
    if (!w->step.graph) return error_set(err, ERROR_USAGE, "only a training step is one for many ranks");
    if (!workload_plan(w, size, err)) return false;
    out->arrays = calloc((size_t)store_count(w->store) + 1, sizeof *out->arrays);
    if (!out->arrays)
        return error_set(err, ERROR_MEMORY, "out of memory for %d parameters", store_count(w->store));
    for (int i = 0; i < store_count(w->store); ++i)
        if (store_at(w->store, i)->kind == STORE_PARAMETER)
            add_parameter(out, store_at(w->store, i), &last_name);
    find_copies(w, out);
    /* Parts' gradients are counted with the arrays. */
    int64_t sums = size->sum_bytes - size->parameters * (int64_t)sizeof(float);
    out->state_bytes = size->state_bytes + (sums > 0 ? sums : 0);
    out->input_bytes = size->input_bytes;
    out->work_bytes = size->work_bytes;
    return add_flops(w, out, err);
}

void workload_scale_free(scale_step *s)
{
    free(s->arrays);
    *s = (scale_step){ 0 };
}

/* ---- Made-up data ---- */

void workload_tokens(int32_t *ids, int64_t count, int64_t vocabulary, uint32_t stream)
{
    philox p = { .seed = 1, .stream = stream };
    for (int64_t i = 0; i < count; ++i) ids[i] = (int32_t)philox_below(&p, (uint32_t)i, (uint32_t)vocabulary);
}

void workload_pixels(uint8_t *pixels, int64_t count)
{
    philox p = { .seed = 1, .stream = 1 };
    for (int64_t i = 0; i < count; ++i) pixels[i] = (uint8_t)philox_below(&p, (uint32_t)(i / 64), 256);
}

bool workload_ready(workload *w, error *err)
{
    const workload_step *s = &w->step;
    return (!s->graph || graph_compile(s->graph, 1, s->knob, err)) && w->type->fill(w->self, err);
}

/* ---- Running ---- */

/* All parts are alike but for their random numbers. */
static bool write_part(void *context, int64_t first, error *err)
{
    const division *d = context;
    const int32_t random[4] = { 1, 0, 0, (int32_t)first };
    return d->parts <= 1 || graph_write(d->random, random, err);
}

static bool run_step(workload *w, float *loss, error *err)
{
    const workload_step *s = &w->step;
    division d = *s->division;
    return optimizer_schedule(s->optimizer, w->done++, 1e-4, 1.0, err) &&
           division_run(&d, s->graph, write_part, &d, err) && graph_read(s->loss, loss, err);
}

bool workload_loss(workload *w, float *loss, error *err)
{
    return run_step(w, loss, err);
}

bool workload_run(workload *w, error *err)
{
    float loss;
    return w->step.graph ? run_step(w, &loss, err) : w->type->draw(w->self, err);
}

bool workload_time(workload *w, double *seconds, error *err)
{
    /* The first one does not count: drivers finish building kernels in it. */
    if (!workload_run(w, err)) return false;
    double begun = timing_now();
    *seconds = 1e300;
    for (int i = 0; i < TIMED_STEPS && (i == 0 || timing_now() - begun < TIMED_SECONDS); ++i) {
        double start = timing_now();
        if (!workload_run(w, err)) return false;
        double now = timing_now() - start;
        if (now < *seconds) *seconds = now;
    }
    return true;
}

bool workload_check(workload *w, error *err)
{
    float first = 0, last = 0, status[4];
    if (!w->step.graph) return w->type->check(w->self, err);
    for (int i = 0; i < CHECK_STEPS; ++i)
        if (!run_step(w, i ? &last : &first, err) ||
            !graph_read(optimizer_status(w->step.optimizer), status, err))
            return false;
    if (isfinite(first) && isfinite(last) && isfinite(status[1]) && last < first) return true;
    return error_set(err, ERROR_DEVICE,
                     "%d steps on one batch take the loss from %g to %g (gradient norm %g): it must fall",
                     CHECK_STEPS, (double)first, (double)last, (double)status[1]);
}

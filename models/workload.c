/* workload.c -- see workload.h.
 * SPDX-License-Identifier: MIT */
#include "models/workload.h"

#include "host/base/philox.h"
#include "host/base/timing.h"
#include "models/dvae/dvae_step.h"
#include "models/prior/prior_step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_STEPS = 5, TIMED_STEPS = 8, TIMED_SECONDS = 4 };

typedef enum workload_kind { TRAIN_DVAE, TRAIN_PRIOR, DRAW } workload_kind;

struct workload {
    workload_kind kind;
    device *device;
    store *store;
    dvae_config dvae;
    prior_config prior;
    prior_shape shape;
    dvae_step dvae_step;
    prior_step prior_step;
    prior_sampler *sampler;
    int32_t *text, *tokens; /* DRAW */
    int64_t step;
};

static workload *workload_create(workload_kind kind, device *d, error *err)
{
    workload *w = calloc(1, sizeof *w);
    if (!w) return error_null(err, ERROR_MEMORY, "out of memory for a workload");
    w->kind = kind;
    w->device = d;
    if ((w->store = store_create(d, err))) return w;
    free(w);
    return NULL;
}

void workload_destroy(workload *w)
{
    if (!w) return;
    prior_sampler_destroy(w->sampler);
    graph_destroy(w->dvae_step.graph);
    graph_destroy(w->prior_step.graph);
    store_destroy(w->store);
    free(w->text);
    free(w->tokens);
    free(w);
}

static workload *keep_if(workload *w, bool ok)
{
    if (ok) return w;
    workload_destroy(w);
    return NULL;
}

workload *workload_dvae(device *d, const dvae_config *c, error *err)
{
    workload *w = dvae_config_check(c, err) ? workload_create(TRAIN_DVAE, d, err) : NULL;
    if (!w) return NULL;
    w->dvae = *c;
    return keep_if(w, dvae_step_build(&w->dvae_step, w->store, c, err));
}

workload *workload_prior(device *d, const prior_config *c, const prior_shape *shape, error *err)
{
    workload *w = prior_config_check(c, shape, err) ? workload_create(TRAIN_PRIOR, d, err) : NULL;
    if (!w) return NULL;
    w->prior = *c;
    w->shape = *shape;
    return keep_if(w, prior_step_build(&w->prior_step, w->store, c, shape, err));
}

workload *workload_draw(device *d, const prior_config *c, const prior_shape *shape, dtype type, error *err)
{
    workload *w = prior_config_check(c, shape, err) ? workload_create(DRAW, d, err) : NULL;
    if (!w) return NULL;
    w->prior = *c;
    w->shape = *shape;
    store_set_weight_type(w->store, type);
    int64_t n = shape->side * shape->side;
    w->text = malloc((size_t)c->text_tokens * sizeof *w->text);
    w->tokens = malloc((size_t)(2 * n) * sizeof *w->tokens);
    if (w->text && w->tokens) return w;
    error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)(c->text_tokens + 2 * n));
    return keep_if(w, false);
}

static graph *graph_of(const workload *w)
{
    return w->kind == TRAIN_DVAE ? w->dvae_step.graph : w->prior_step.graph;
}

static void add_entry(workload_size *size, const store_entry *e)
{
    int64_t bytes = e->count * (int64_t)dtype_bytes(e->type);
    if (e->kind == STORE_PARAMETER) {
        size->parameters += e->count;
        size->parameter_bytes += bytes;
    } else if (strncmp(e->name, "adam.", 5) == 0) {
        size->moment_bytes += bytes;
    } else if (strncmp(e->name, "ema.", 4) == 0) {
        size->ema_bytes += bytes;
    } else {
        size->state_bytes += bytes;
    }
}

bool workload_plan(workload *w, workload_size *size, error *err)
{
    graph *g = graph_of(w);
    graph_plan_info info;
    *size = (workload_size){ 0 };
    if (!graph_plan(g, &info, err)) return false;
    for (int i = 0; i < store_count(w->store); ++i) add_entry(size, store_at(w->store, i));
    size->input_bytes = info.input_bytes;
    size->work_bytes = info.work_bytes;
    size->largest_bytes = info.largest_bytes;
    snprintf(size->largest_name, sizeof size->largest_name, "%s", info.largest_name ? info.largest_name : "");
    for (int i = 0; i < graph_node_count(g); ++i) {
        const node *n = graph_node_at(g, i);
        if (n->live) size->flops += node_flops(n);
    }
    return true;
}

/* ---- Made-up data: the same in every run of the program ---- */

static void fill_tokens(int32_t *ids, int64_t count, int64_t vocabulary, uint32_t stream)
{
    philox p = { .seed = 1, .stream = stream };
    for (int64_t i = 0; i < count; ++i) ids[i] = (int32_t)philox_below(&p, (uint32_t)i, (uint32_t)vocabulary);
}

static bool fill_dvae(workload *w, error *err)
{
    const dvae_step *s = &w->dvae_step;
    int64_t count = tensor_count(s->pixels);
    const float schedule[2] = { 1.0f, 0.0f };
    const int32_t random[4] = { 1, 0, 0, 0 };
    philox p = { .seed = 1, .stream = 1 };
    uint8_t *pixels = malloc((size_t)count);
    if (!pixels) return error_set(err, ERROR_MEMORY, "out of memory for %lld pixels", (long long)count);
    for (int64_t i = 0; i < count; ++i) pixels[i] = (uint8_t)philox_below(&p, (uint32_t)(i / 64), 256);
    bool ok = graph_write(s->pixels, pixels, err) && graph_write(s->schedule, schedule, err) &&
              graph_write(s->random, random, err);
    free(pixels);
    return ok;
}

static bool fill_prior(workload *w, error *err)
{
    const prior_step *s = &w->prior_step;
    const prior_config *c = &w->prior;
    int64_t text = tensor_count(s->text), image = tensor_count(s->image);
    const int32_t random[4] = { 1, 0, 0, 0 };
    float share = 1.0f / (float)tensor_count(s->targets);
    int32_t *ids = malloc((size_t)(2 * text + image) * sizeof *ids), *targets = ids + text;
    if (!ids)
        return error_set(err, ERROR_MEMORY, "out of memory for %lld tokens", (long long)(2 * text + image));
    fill_tokens(ids, text, c->text_vocabulary, 1);
    fill_tokens(targets + text, image, w->shape.codes, 2);
    for (int64_t b = 0; b < c->batch; ++b)
        memcpy(targets + b * (c->text_tokens - 1), ids + b * c->text_tokens + 1,
               (size_t)(c->text_tokens - 1) * sizeof *ids);
    bool ok = prior_write_places(&s->places, &w->shape, err) && graph_write(s->text, ids, err) &&
              graph_write(s->image, targets + text, err) && graph_write(s->read, targets + text, err) &&
              graph_write(s->targets, targets, err) && graph_write(s->share, &share, err) &&
              graph_write(s->random, random, err);
    free(ids);
    return ok;
}

bool workload_ready(workload *w, error *err)
{
    switch (w->kind) {
    case TRAIN_DVAE:
        return graph_compile(w->dvae_step.graph, 1, DVAE_STEP_KNOB, err) && fill_dvae(w, err);
    case TRAIN_PRIOR:
        return graph_compile(w->prior_step.graph, 1, PRIOR_STEP_KNOB, err) && fill_prior(w, err);
    case DRAW:
        break;
    }
    fill_tokens(w->text, w->prior.text_tokens, w->prior.text_vocabulary, 1);
    w->sampler = prior_sampler_create(w->store, &w->prior, &w->shape, 1, false, err);
    return w->sampler != NULL;
}

/* ---- Running ---- */

static bool run_step(workload *w, optimizer *o, tensor *loss, double rate, float *value, error *err)
{
    return optimizer_schedule(o, w->step++, rate, 1.0, err) && graph_run(graph_of(w), err) &&
           graph_read(loss, value, err);
}

static bool run_once(workload *w, float *loss, int32_t *tokens, error *err)
{
    if (w->kind == TRAIN_DVAE)
        return run_step(w, w->dvae_step.optimizer, w->dvae_step.losses.loss, 1e-4, loss, err);
    if (w->kind == TRAIN_PRIOR)
        return run_step(w, w->prior_step.optimizer, w->prior_step.losses.loss, 1e-4, loss, err);
    prior_draw draw = { .text = w->text, .seed = 1, .count = 1, .guidance = w->prior.guidance };
    return prior_sampler_draw(w->sampler, &draw, tokens, err);
}

bool workload_run(workload *w, error *err)
{
    float loss;
    return run_once(w, &loss, w->tokens, err);
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
    int64_t n = w->shape.side * w->shape.side;
    float first = 0, last = 0;
    if (w->kind == DRAW) {
        if (!run_once(w, &first, w->tokens, err) || !run_once(w, &first, w->tokens + n, err)) return false;
        for (int64_t i = 0; i < n; ++i)
            if (w->tokens[i] < 0 || w->tokens[i] >= w->shape.codes || w->tokens[i] != w->tokens[n + i])
                return error_set(err, ERROR_DEVICE, "token %lld is %d, then %d, of %lld codes", (long long)i,
                                 (int)w->tokens[i], (int)w->tokens[n + i], (long long)w->shape.codes);
        return true;
    }
    optimizer *o = w->kind == TRAIN_DVAE ? w->dvae_step.optimizer : w->prior_step.optimizer;
    float status[4];
    for (int i = 0; i < CHECK_STEPS; ++i)
        if (!run_once(w, i ? &last : &first, NULL, err) || !graph_read(optimizer_status(o), status, err))
            return false;
    if (isfinite(first) && isfinite(last) && isfinite(status[1]) && last < first) return true;
    return error_set(err, ERROR_DEVICE,
                     "%d steps on one batch take the loss from %g to %g (gradient norm %g): it must fall",
                     CHECK_STEPS, (double)first, (double)last, (double)status[1]);
}

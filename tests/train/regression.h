/* regression.h -- a task small enough to train in milliseconds: y = w x + b by AdamW, with averages, a
 * validation figure, host state, and faults on demand.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_TRAIN_REGRESSION_H
#define DALLE_CL_TESTS_TRAIN_REGRESSION_H

#include "host/base/file.h"
#include "host/base/philox.h"
#include "host/ops/ops.h"
#include "host/train/checkpoint.h"
#include "host/train/optimizer.h"
#include "host/train/schedule.h"
#include "host/train/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REGRESSION_BATCH = 8, REGRESSION_WIDTH = 5 };

typedef struct regression {
    device *device;
    store *store;
    graph *graph;
    tensor *x, *y, *loss;
    optimizer *optimizer;
    exchange exchange; /* leaves gradients as they are */
    schedule_plateau plateau;
    double factor;
    /* Faults and delays. */
    int64_t bad_from, bad_to; /* steps whose input is not a number */
    int64_t interrupt_at;     /* sets `interrupted` in this step; -1: never */
    int64_t fail_at;          /* begin fails in this step; -1: never */
    int64_t worse_from;       /* evaluations get worse after this step; -1: never */
    long pause_ns;
    int64_t begun, ended; /* steps */
    int64_t late;         /* steps whose figures were asked for when the next had begun */
    bool hasty;           /* something came between steps before all figures were asked for */
    volatile sig_atomic_t interrupted;
    int draws;
} regression;

static inline bool regression_begin(void *self, int64_t step, error *err)
{
    regression *r = self;
    float x[REGRESSION_BATCH * REGRESSION_WIDTH], y[REGRESSION_BATCH];
    philox p = { .seed = 5, .step = (uint32_t)step, .stream = 1 };
    if (step == r->fail_at) return error_set(err, ERROR_DEVICE, "the device is gone");
    for (uint32_t b = 0; b < REGRESSION_BATCH; ++b) {
        y[b] = 0.25f;
        for (uint32_t i = 0; i < REGRESSION_WIDTH; ++i) {
            float value = philox_normal(&p, b * REGRESSION_WIDTH + i);
            x[b * REGRESSION_WIDTH + i] = value;
            y[b] += value * (float)(i + 1) * 0.5f;
        }
    }
    if (step >= r->bad_from && step < r->bad_to) x[3] = NAN;
    if (step == r->interrupt_at) r->interrupted = 1;
    if (r->pause_ns) nanosleep(&(struct timespec){ .tv_nsec = r->pause_ns }, NULL);
    return graph_write(r->x, x, err) && graph_write(r->y, y, err) &&
           optimizer_schedule(r->optimizer, step, 0.05 * r->factor * schedule_warmup(5, step),
                              step % 2 ? 0.9 : 1.0, err) &&
           graph_run(r->graph, err) && graph_read_begin(r->loss, err) &&
           graph_read_begin(optimizer_status(r->optimizer), err) && ++r->begun;
}

static inline bool regression_end(void *self, int64_t step, train_metrics *out, error *err)
{
    (void)step;
    regression *r = self;
    float loss, status[4];
    if (!graph_read_end(r->loss, &loss, err) || !graph_read_end(optimizer_status(r->optimizer), status, err))
        return false;
    if (r->begun - ++r->ended == 1) ++r->late;
    train_metrics_add(out, "loss", (double)loss, "%.4f");
    train_metrics_add(out, "norm", (double)status[1], NULL);
    out->finite = status[2] != 0.0f;
    return true;
}

static inline bool regression_evaluate(void *self, int64_t step, train_metrics *out, error *err)
{
    regression *r = self;
    float w[REGRESSION_WIDTH], wrong = 0;
    r->hasty |= r->begun != r->ended;
    store_entry *average = store_kin(store_find(r->store, "weight"), STORE_AVERAGE);
    if (!store_read_f32(r->store, average, w, err)) return false;
    for (int i = 0; i < REGRESSION_WIDTH; ++i) wrong += fabsf(w[i] - (float)(i + 1) * 0.5f);
    double figure = r->worse_from >= 0 && step > r->worse_from ? 100.0 + (double)step : (double)wrong;
    train_metrics_add(out, "distance", figure, "%.3f");
    r->factor = schedule_plateau_observe(&r->plateau, figure);
    return true;
}

static inline bool regression_draw(void *self, int64_t step, const char *path, error *err)
{
    regression *r = self;
    (void)step;
    r->hasty |= r->begun != r->ended;
    ++r->draws;
    return file_write(path, "a picture", 9, err);
}

static inline json_t *regression_save(void *self)
{
    regression *r = self;
    r->hasty |= r->begun != r->ended;
    return schedule_plateau_save(&r->plateau);
}

static inline bool regression_load(void *self, const json_t *state, error *err)
{
    regression *r = self;
    if (!schedule_plateau_load(&r->plateau, state, err)) return false;
    r->factor = ldexp(1.0, -r->plateau.halvings);
    return true;
}

static inline bool regression_exchange(void *self, const store_entry *of, dtype type, void *gradient,
                                       int64_t count, error *err)
{
    (void)self, (void)of, (void)type, (void)gradient, (void)count, (void)err;
    return true;
}

static inline tensor *regression_parameter(graph *g, const char *name, int64_t count, store_init init,
                                           bool decay)
{
    parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, init, 0.5f, decay, false };
    return graph_parameter(g, name, spec, 1, &count);
}

/* `ballast`: elements of a state entry that makes checkpoints, and so saving, take longer.  The device, which
 * may be NULL after a failure with *err, becomes the regression's. */
static inline bool regression_open_on(regression *r, device *d, int64_t ballast, error *err)
{
    *r = (regression){ .device = d, .interrupt_at = -1, .fail_at = -1, .worse_from = -1, .factor = 1.0 };
    r->exchange = (exchange){ regression_exchange, r };
    r->plateau = (schedule_plateau){ .threshold = 0.05, .patience = 2, .most = 3 };
    schedule_plateau_start(&r->plateau);
    if (!d || !(r->store = store_create(d, err)) || !(r->graph = graph_create(r->store, err))) return false;
    graph *g = r->graph;
    if (ballast) store_declare(r->store, "ballast", STORE_STATE, DTYPE_F32, 1, &ballast);
    r->x = graph_input(g, "x", DTYPE_F32, 2, (int64_t[]){ REGRESSION_BATCH, REGRESSION_WIDTH });
    r->y = graph_input(g, "y", DTYPE_F32, 2, (int64_t[]){ REGRESSION_BATCH, 1 });
    tensor *w = regression_parameter(g, "weight", REGRESSION_WIDTH, STORE_NORMAL, true);
    tensor *b = regression_parameter(g, "bias", 1, STORE_ZEROS, false);
    tensor *guess = op_add(op_sum_last(op_mul(r->x, w)), b);
    r->loss = op_mean_all(op_square(op_sub(guess, r->y)));
    graph_keep(r->loss);
    graph_backward(g, r->loss);
    optimizer_settings settings = { .beta1 = 0.9f,
                                    .beta2 = 0.96f,
                                    .epsilon = 1e-8f,
                                    .decay = 0.01f,
                                    .clip = 4.0f,
                                    .ema = true,
                                    .exchange = &r->exchange };
    r->optimizer = optimizer_append(g, r->loss, &settings);
    return graph_compile(g, 7, "batch", err);
}

static inline bool regression_open(regression *r, int64_t ballast, error *err)
{
    return regression_open_on(r, device_open(NULL, err), ballast, err);
}

static inline void regression_close(regression *r)
{
    graph_destroy(r->graph);
    store_destroy(r->store);
    device_close(r->device);
}

static inline train_task regression_task(regression *r)
{
    return (train_task){ .kind = "regression",
                         .self = r,
                         .store = r->store,
                         .begin = regression_begin,
                         .end = regression_end,
                         .evaluate = regression_evaluate,
                         .draw = regression_draw,
                         .save_state = regression_save,
                         .load_state = regression_load };
}

static inline train_options regression_options(regression *r, const char *folder)
{
    return (train_options){ .folder = folder,
                            .config_text = "rate = 0.05\nwidth = 5\n",
                            .steps = 40,
                            .log_every = 1,
                            .save_every = 10,
                            .keep = 3,
                            .eval_every = 5,
                            .sample_every = 20,
                            .stop_after_bad = 4,
                            .quiet = true,
                            .interrupted = &r->interrupted };
}

#endif

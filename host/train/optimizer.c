/* optimizer.c -- see optimizer.h.  All of a step's schedule is one F32 [8] control entry of the store:
 * {learning rate, 1 - beta1^t, 1 - beta2^t, 0, EMA decay, 0, 0, 0}, so that one small write a step
 * rebinds nothing.
 * SPDX-License-Identifier: MIT */
#include "host/train/optimizer.h"

#include "host/graph/internal.h"
#include "host/ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONTROL_COUNT = 8, CONTROL_DECAY = 4 };

struct optimizer {
    graph *graph;
    optimizer_settings settings;
    store_entry *control;
    tensor *status;
};

typedef struct update {
    store_entry *entry;
    tensor *parameter, *gradient;
} update;

static store_entry *declare_like(graph *g, const char *prefix, store_kind kind, const store_entry *e)
{
    char name[640];
    snprintf(name, sizeof name, "%s%s", prefix, e->name);
    store_entry *made = store_declare(graph_store(g), name, kind, DTYPE_F32, e->rank, e->dim);
    if (!made) graph_fail(g, "'%s' is already declared with another shape, type or kind", name);
    return made;
}

/* The parameters of the store that the loss depends on, in the store's order. */
static int find_updates(graph *g, update *updates)
{
    store *s = graph_store(g);
    int count = 0;
    for (int i = 0, entries = store_count(s); i < entries; ++i) {
        store_entry *e = store_at(s, i);
        if (e->kind != STORE_PARAMETER) continue;
        tensor *parameter = graph_entry(g, e), *gradient = graph_gradient(g, parameter);
        if (gradient) updates[count++] = (update){ e, parameter, gradient };
    }
    return count;
}

/* Sum of squares of all gradients, in groups of as many as a node takes.  A loss that is not finite
 * makes the sum so too: 0 * loss is 0 or not a number. */
static tensor *gradient_squares(tensor *loss, const update *updates, int count)
{
    tensor *total = op_scale(op_cast(loss, DTYPE_F32), 0.0f);
    for (int first = 0; first < count; first += NODE_INPUTS_MAX) {
        tensor *group[NODE_INPUTS_MAX];
        int size = count - first < NODE_INPUTS_MAX ? count - first : NODE_INPUTS_MAX;
        for (int i = 0; i < size; ++i) group[i] = updates[first + i].gradient;
        total = op_add(total, op_sum_squares(size, group));
    }
    return total;
}

static void append_update(optimizer *o, const update *u, tensor *schedule, tensor *decay)
{
    graph *g = o->graph;
    const optimizer_settings *s = &o->settings;
    store_entry *mean = declare_like(g, "adam.mean.", STORE_MOMENT, u->entry);
    store_entry *variance = declare_like(g, "adam.variance.", STORE_MOMENT, u->entry);
    store_entry *average = s->ema ? declare_like(g, "ema.", STORE_AVERAGE, u->entry) : NULL;
    if (!mean || !variance || (s->ema && !average)) return;
    tensor *next =
        op_adamw(u->parameter, u->gradient, graph_entry(g, mean), graph_entry(g, variance), schedule,
                 o->status, s->beta1, s->beta2, s->epsilon, u->entry->decay ? s->decay : 0.0f);
    graph_update(next);
    if (average) graph_update(op_ema(graph_entry(g, average), next, decay));
}

optimizer *optimizer_append(graph *g, tensor *loss, const optimizer_settings *settings)
{
    store *s = graph_store(g);
    optimizer *o = arena_alloc(g->arena, sizeof *o);
    update *updates = calloc((size_t)store_count(s) + 1, sizeof *updates);
    if (!o || !updates) {
        graph_fail(g, "out of memory for the optimizer of %d entries", store_count(s));
        free(updates);
        return o;
    }
    *o = (optimizer){ .graph = g, .settings = *settings, .status = graph_poison(g) };
    o->control =
        store_declare(s, "optimizer.schedule", STORE_CONTROL, DTYPE_F32, 1, (int64_t[]){ CONTROL_COUNT });
    if (!o->control) {
        graph_fail(g, "'optimizer.schedule' is already declared with another shape, type or kind");
        free(updates);
        return o;
    }
    int count = find_updates(g, updates);
    if (!count) graph_fail(g, "the loss depends on no trainable parameter of %d entries", store_count(s));

    graph_push(g, "optimizer");
    tensor *control = graph_entry(g, o->control);
    tensor *schedule = op_slice(control, 0, 0, CONTROL_DECAY),
           *decay = op_slice(control, 0, CONTROL_DECAY, 1);
    o->status = op_gradient_scale(gradient_squares(loss, updates, count), settings->clip);
    graph_keep(o->status);
    for (int i = 0; i < count; ++i) append_update(o, &updates[i], schedule, decay);
    graph_pop(g);
    free(updates);
    return o;
}

bool optimizer_reset_averages(optimizer *o, error *err)
{
    store *s = graph_store(o->graph);
    for (int i = 0, count = store_count(s); i < count; ++i) {
        const store_entry *e = store_at(s, i);
        if (e->kind != STORE_PARAMETER) continue;
        char name[640];
        snprintf(name, sizeof name, "ema.%s", e->name);
        store_entry *average = store_find(s, name);
        if (!average) continue;
        float *values = malloc((size_t)e->count * sizeof *values);
        if (!values)
            return error_set(err, ERROR_MEMORY, "out of memory for %lld values of '%s'", (long long)e->count,
                             e->name);
        bool ok = store_read_f32(s, e, values, err) && store_write_f32(s, average, values, err);
        free(values);
        if (!ok) return false;
    }
    return true;
}

bool optimizer_schedule(optimizer *o, int64_t step, double learning_rate, double ema_decay, error *err)
{
    /* Averages start where the parameters do, wherever those came from. */
    if (step == 0 && o->settings.ema && !optimizer_reset_averages(o, err)) return false;
    const double t = (double)(step + 1);
    const float values[CONTROL_COUNT] = {
        (float)learning_rate,
        (float)(1.0 - pow((double)o->settings.beta1, t)),
        (float)(1.0 - pow((double)o->settings.beta2, t)),
        0.0f,
        (float)ema_decay,
    };
    return store_write(graph_store(o->graph), o->control, values, err);
}

tensor *optimizer_status(const optimizer *o)
{
    return o->status;
}

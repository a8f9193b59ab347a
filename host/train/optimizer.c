/* optimizer.c -- see optimizer.h.  All of a step's schedule is one F32 [8] control entry of the store:
 * {learning rate, 1 - beta1^t, 1 - beta2^t, 0, EMA decay, 0, 0, 0}, so that one small write a step
 * rebinds nothing.
 * SPDX-License-Identifier: MIT */
#include "host/train/optimizer.h"

#include "host/base/philox.h"
#include "host/ops/ops.h"
#include "host/train/gather.h"
#include "host/train/pieces.h"
#include "host/train/sum_over_ranks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTROL_COUNT = 8, CONTROL_DECAY = 4 };

struct optimizer {
    graph *graph;
    optimizer_settings settings;
    tensor *control, *status;
    powersgd *compressed; /* NULL: none */
    scaling scaling;      /* where gradients are scaled */
    tensor *random;       /* NULL: rounding is to nearest */
};

typedef struct update {
    store_entry *entry;
    tensor *parameter, *gradient;
    int number;     /* in order of first use */
    int compressed; /* from 1 on; 0: it is not */
} update;

static bool is_known(const update *updates, int count, const tensor *parameter)
{
    for (int i = 0; i < count; ++i)
        if (updates[i].parameter == parameter) return true;
    return false;
}

static int by_entry_name(const void *a, const void *b)
{
    const update *first = a, *second = b;
    int order = strcmp(first->entry->name, second->entry->name);
    return order ? order : first->number - second->number;
}

/* Tensors that name the same entry (tied weights) become one update with the sum of their gradients. */
static int merge(update *updates, int count)
{
    int kept = 0;
    for (int i = 0; i < count; ++i) {
        update *last = kept ? &updates[kept - 1] : NULL;
        if (last && last->entry == updates[i].entry)
            last->gradient = op_add(last->gradient, updates[i].gradient);
        else
            updates[kept++] = updates[i];
    }
    return kept;
}

static bool grow(update **updates, int *capacity)
{
    int wanted = *capacity ? *capacity * 2 : 64;
    update *grown = realloc(*updates, (size_t)wanted * sizeof *grown);
    if (!grown) return false;
    *updates = grown;
    *capacity = wanted;
    return true;
}

/* The parameters that the loss depends on, by name: the order of the norm's sum then depends on nothing
 * else.  *updates is to be freed; -1: memory is out. */
static int find_updates(graph *g, update **updates)
{
    int count = 0, capacity = 0;
    *updates = NULL;
    for (int i = 0, nodes = graph_node_count(g); i < nodes; ++i) {
        const node *n = graph_node_at(g, i);
        for (int k = 0; k < n->in_count; ++k) {
            tensor *t = n->in[k];
            store_entry *e = t && !t->poison && !t->from && t->needs_gradient ? graph_entry_of(t) : NULL;
            if (!e) continue;
            tensor *gradient = is_known(*updates, count, t) ? NULL : graph_gradient(g, t);
            if (!gradient) continue;
            if (count == capacity && !grow(updates, &capacity)) return -1;
            (*updates)[count] = (update){ e, t, gradient, count, 0 };
            ++count;
        }
    }
    if (count) qsort(*updates, (size_t)count, sizeof **updates, by_entry_name);
    return merge(*updates, count);
}

/* ---- Compressed gradients ---- */

static void swap_updates(update *a, update *b)
{
    update kept = *a;
    *a = *b;
    *b = kept;
}

static void refuse_rank(const optimizer *o, const update *updates, int count)
{
    const store_entry *best = NULL;
    for (int i = 0; i < count; ++i)
        if (!best || powersgd_rank_most(updates[i].entry) > powersgd_rank_most(best)) best = updates[i].entry;
    int64_t most = powersgd_rank_most(best);
    if (most < 1)
        graph_fail(o->graph, "no gradient is a matrix that can be compressed; use compress=none");
    else
        graph_fail(
            o->graph,
            "compressed to rank %lld no gradient becomes smaller; use rank=%lld, at which that of '%s' still "
            "does, or less, or compress=none",
            (long long)o->settings.compress.rank, (long long)most, best->name);
}

/* Adds the gradients that are to be compressed to their errors, and puts their updates behind the others, of
 * which it returns how many there are. */
static int compress_some(optimizer *o, const division *d, update *updates, int count)
{
    const powersgd_settings *s = &o->settings.compress;
    if (s->rank < 1 || !(o->compressed = powersgd_create(o->graph, s, count))) return count;
    const scaling_settings *scaled = &o->settings.scaling;
    tensor *scales = scaling_is_on(scaled) ? scaling_scales(scaled, o->graph) : NULL;
    if (scales) graph_advance(scales); /* so that no gradient waits for them */
    int whole = 0;
    for (int i = 0; i < count; ++i) {
        update *u = &updates[i];
        if (powersgd_takes(s, u->entry)) {
            tensor *scale = scaling_scale_of(scaled, scales, u->entry);
            if (scale) graph_advance(scale);
            u->compressed = 1 + powersgd_add(o->compressed, u->entry, u->gradient, scale, d->parts);
        } else {
            swap_updates(u, &updates[whole++]);
        }
    }
    if (whole == count) refuse_rank(o, updates, count);
    powersgd_leave(o->compressed, d->traffic, d->parts);
    return whole;
}

/* Made where it is wanted: it need not be kept from the norm to the update. */
static tensor *gradient_of(const optimizer *o, const update *u)
{
    return u->compressed ? powersgd_gradient(o->compressed, u->compressed - 1) : u->gradient;
}

/* Adds the squares of the gradients of pieces, or of the others, to `total`, in groups of as many as a node
 * takes. */
static tensor *add_squares(const optimizer *o, tensor *total, const update *updates, int count, bool pieces)
{
    tensor *group[NODE_INPUTS_MAX];
    int size = 0;
    for (int i = 0; i < count; ++i) {
        if ((split_axis(updates[i].entry) >= 0) == pieces) group[size++] = gradient_of(o, &updates[i]);
        if (!size || (size < NODE_INPUTS_MAX && i < count - 1)) continue;
        total = op_add(total, op_sum_squares(size, group));
        size = 0;
    }
    return total;
}

/* Of all gradients; those of pieces are added up over the group that has the whole among it.  A loss that is
 * not finite makes the sum so too: 0 * loss is 0 or not a number. */
static tensor *gradient_squares(const optimizer *o, tensor *loss, const update *updates, int count)
{
    comm *group = pieces_group(graph_store(o->graph));
    tensor *none = op_scale(op_cast(loss, DTYPE_F32), 0.0f);
    tensor *total = add_squares(o, none, updates, count, false);
    if (!group) return total;
    tensor *pieces = add_squares(o, none, updates, count, true);
    sum_over_ranks(group, o->graph, 1, &pieces);
    return op_add(total, pieces);
}

void optimizer_backward(graph *g, tensor *loss, const optimizer_settings *s)
{
    graph_backward(g, scaling_of_loss(&s->scaling, g, loss));
    gather_ahead(g);
}

typedef struct wanted {
    const optimizer *optimizer;
    const update *updates;
} wanted;

static tensor *wanted_gradient(const void *self, int i)
{
    const wanted *w = self;
    return gradient_of(w->optimizer, &w->updates[i]);
}

/* What each gradient is multiplied by, and the state of the scales. */
static bool append_scaling(optimizer *o, tensor *loss, const update *updates, int count)
{
    graph *g = o->graph;
    const store_entry **of = graph_allocate(g, (size_t)count * sizeof(const store_entry *));
    const wanted w = { o, updates };
    if (!of) return false;
    for (int i = 0; i < count; ++i) of[i] = updates[i].entry;
    const scaling_gradients from = { count, of, wanted_gradient, &w };
    o->scaling = scaling_append(&o->settings.scaling, g, loss, &from, o->settings.clip);
    o->status = scaling_whole(&o->scaling);
    return true;
}

/* The draws that its values are rounded by: of another stream than those it began with, and pieces' of one
 * each. */
static uint32_t rounding_stream(const store *s, const store_entry *e)
{
    char name[STORE_NAME_MAX];
    if (split_axis(e) < 0)
        snprintf(name, sizeof name, "round.%s", e->name);
    else
        snprintf(name, sizeof name, "round.%d.%s", store_split(s)->place, e->name);
    return philox_stream(name);
}

static void append_update(optimizer *o, const update *u, tensor *schedule, tensor *decay)
{
    graph *g = o->graph;
    const optimizer_settings *s = &o->settings;
    store_entry *e = u->entry;
    const dtype mean_type = e->wide ? DTYPE_F32 : s->mean_type,
                variance_type = e->wide ? DTYPE_F32 : s->variance_type;
    store_entry *mean = graph_declare_kin(g, e, STORE_MEAN, mean_type);
    store_entry *variance = graph_declare_kin(g, e, STORE_VARIANCE, variance_type);
    store_entry *average = s->ema ? graph_declare_kin(g, e, STORE_AVERAGE, DTYPE_F32) : NULL;
    if (!mean || !variance || (s->ema && !average)) return;
    tensor *factor = scaling_is_on(&s->scaling) ? scaling_row(&o->scaling, e) : o->status;
    const bool rounds = e->type != DTYPE_F32 || mean_type != DTYPE_F32 || variance_type != DTYPE_F32;
    const adamw_terms terms = { .beta1 = s->beta1,
                                .beta2 = s->beta2,
                                .epsilon = s->epsilon,
                                .decay = e->decay ? s->decay : 0.0f,
                                .variance_limit = s->variance_limit,
                                .stream = rounding_stream(graph_store(g), e) };
    tensor *next = op_adamw(u->parameter, gradient_of(o, u), graph_entry(g, mean), graph_entry(g, variance),
                            schedule, factor, rounds ? o->random : NULL, &terms);
    graph_update(next);
    if (u->compressed) powersgd_keep(o->compressed, u->compressed - 1, factor);
    if (average) graph_update(op_ema(graph_entry(g, average), next, decay));
}

/* The parts' gradients become the batch's; what passes through an exchange comes to it as this rank's own. */
static void average_parts(const optimizer *o, const division *d, update *updates, int count)
{
    graph *g = o->graph;
    const char **names = graph_allocate(g, ((size_t)count + 1) * sizeof *names);
    const store_entry **of = graph_allocate(g, ((size_t)count + 1) * sizeof(const store_entry *));
    tensor **gradients = graph_allocate(g, ((size_t)count + 1) * sizeof(tensor *));
    if (!names || !of || !gradients) return;
    for (int i = 0; i < count; ++i) {
        char name[STORE_NAME_MAX];
        snprintf(name, sizeof name, "gradient.%s", updates[i].entry->name);
        size_t size = strlen(name) + 1;
        char *kept = graph_allocate(g, size);
        if (!kept) return;
        memcpy(kept, name, size);
        names[i] = kept;
        of[i] = updates[i].entry;
        gradients[i] = updates[i].gradient;
    }
    division_means(d, g, count, of, names, gradients, o->settings.exchange != NULL);
    for (int i = 0; i < count; ++i) updates[i].gradient = gradients[i];
}

/* All of them, by name: every rank has the same order. */
static void pass_through(const exchange *x, graph *g, update *updates, int count)
{
    const store_entry **of = graph_allocate(g, (size_t)count * sizeof(const store_entry *));
    tensor **gradients = graph_allocate(g, (size_t)count * sizeof(tensor *));
    if (!of || !gradients) return;
    for (int i = 0; i < count; ++i) {
        of[i] = updates[i].entry;
        gradients[i] = op_cast(updates[i].gradient, DTYPE_F32);
    }
    exchange_append(x, g, count, of, gradients);
    for (int i = 0; i < count; ++i) updates[i].gradient = gradients[i];
}

/* Of all updates the first `whole` are not compressed. */
static void append_updates(optimizer *o, tensor *loss, update *updates, int whole, int count)
{
    graph *g = o->graph;
    graph_push(g, "optimizer");
    tensor *schedule = op_slice(o->control, 0, 0, CONTROL_DECAY),
           *decay = op_slice(o->control, 0, CONTROL_DECAY, 1);
    if (o->settings.exchange) pass_through(o->settings.exchange, g, updates, whole);
    if (o->compressed) powersgd_exchange(o->compressed);
    if (!scaling_is_on(&o->settings.scaling))
        o->status = op_gradient_scale(gradient_squares(o, loss, updates, count), o->settings.clip);
    else if (!append_scaling(o, loss, updates, count))
        return;
    graph_keep(o->status);
    for (int i = 0; i < count; ++i) append_update(o, &updates[i], schedule, decay);
    graph_pop(g);
}

optimizer *optimizer_append(graph *g, tensor *loss, const optimizer_settings *settings)
{
    const division undivided = { .parts = 1 };
    return optimizer_append_divided(g, loss, settings, &undivided);
}

optimizer *optimizer_append_divided(graph *g, tensor *loss, const optimizer_settings *settings,
                                    const division *d)
{
    optimizer *o = graph_allocate(g, sizeof *o);
    if (!o) return NULL;
    *o = (optimizer){ .graph = g, .settings = *settings, .status = graph_poison(g) };
    store_entry *control =
        graph_declare(g, "optimizer.schedule", STORE_CONTROL, DTYPE_F32, 1, (int64_t[]){ CONTROL_COUNT });
    store_entry *random = settings->stochastic ? graph_declare(g, "optimizer.random", STORE_CONTROL,
                                                               DTYPE_I32, 1, (int64_t[]){ 4 })
                                               : NULL;
    if (random) o->random = graph_entry(g, random);
    update *updates = NULL;
    int count = control ? find_updates(g, &updates) : 0;
    if (count < 0) graph_no_memory(g);
    if (control) o->control = graph_entry(g, control);
    if (control && count == 0) graph_fail(g, "the loss depends on no trainable parameter");
    if (count > 0) {
        int whole = compress_some(o, d, updates, count);
        average_parts(o, d, updates, whole);
        append_updates(o, loss, updates, whole, count);
    }
    free(updates);
    return o;
}

bool optimizer_reset_averages(optimizer *o, error *err)
{
    store *s = graph_store(o->graph);
    for (int i = 0, count = store_count(s); i < count; ++i) {
        store_entry *e = store_at(s, i);
        if (e->kind == STORE_AVERAGE && e->of && !store_copy(s, e, e->of, err)) return false;
    }
    return true;
}

static bool write_random(optimizer *o, int64_t step, error *err)
{
    const uint64_t seed = o->settings.seed;
    const int32_t values[4] = { (int32_t)(uint32_t)seed, (int32_t)(uint32_t)(seed >> 32), (int32_t)step, 0 };
    return !o->random || graph_write(o->random, values, err);
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
    return graph_write(o->control, values, err) && write_random(o, step, err);
}

tensor *optimizer_status(const optimizer *o)
{
    return o->status;
}

tensor *optimizer_blocks(const optimizer *o)
{
    return o->scaling.blocks ? o->scaling.status : NULL;
}

tensor *optimizer_zeros(const optimizer *o)
{
    return o->scaling.zeros;
}

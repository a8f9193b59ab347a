/* division.c -- see division.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/division.h"

#include "host/ops/ops.h"
#include "host/train/pieces.h"

#include <stdio.h>
#include <stdlib.h>

/* Gradients leave together until there are so many, or so many bytes: a sum of less waits for its messages
 * rather than for their bytes, and one of more begins later than it could. */
#define BUCKET_TENSORS 64
#define BUCKET_BYTES   ((int64_t)4 << 20)

division division_among(division d, comm *c)
{
    d.first = comm_rank(c) * d.parts * d.samples;
    d.part = d.random;
    if (!c || !d.random) return d;
    graph *g = d.random->graph;
    d.traffic = ranks_traffic_create(g, c, d.parts);
    if (d.parts > 1) d.part = graph_input(g, "part", DTYPE_I32, 1, (int64_t[]){ 4 });
    d.comm = c;
    d.ranks = comm_count(c);
    return d;
}

int64_t division_parts(const division *d)
{
    return d->parts * (d->traffic ? d->ranks : 1);
}

/* Never saved: between two steps they hold nothing that is needed. */
static tensor *entry_of(graph *g, const char *name, const tensor *x, int64_t parts, dtype type)
{
    char scoped[640];
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < x->rank; ++i) dim[i] = x->dim[i] * (i ? 1 : parts);
    snprintf(scoped, sizeof scoped, "part.%s", name);
    store_entry *e = graph_declare(g, scoped, STORE_SUM, type, x->rank, dim);
    return e ? graph_entry(g, e) : graph_poison(g);
}

/* At once, so that what was added up need not be kept. */
static tensor *keep_early(tensor *updated)
{
    graph_update(updated);
    graph_advance(updated);
    return updated;
}

/* ---- Joined ---- */

/* A view, whose gradient ends what runs once.  Gradients will be averaged over the parts, of which each then
 * gives its own share. */
static bool joint_infer(node *n)
{
    return !node_output_in_place(n, 0)->poison;
}

static void joint_grad(node *n, tensor *const *dout, tensor **din)
{
    division *const *d = n->attributes;
    din[0] = op_scale(dout[0], (float)division_parts(*d));
    if ((*d)->parts <= 1) return;
    (*d)->parted = din[0]->from;
    graph_segment(n->graph);
}

static const op_def joint = { .name = "division_join", .infer = joint_infer, .grad = joint_grad };

tensor *division_join(division *d, const char *name, tensor *x)
{
    if (division_parts(d) <= 1 || x->poison) return x;
    graph *g = x->graph;
    tensor *whole = op_part_put(entry_of(g, name, x, division_parts(d), x->type), x, d->random);
    whole = graph_node1(g, &joint, 1, &whole, &d, sizeof d);
    if (d->parts > 1) {
        d->joined = whole->from;
        graph_segment(g);
    }
    return d->traffic ? ranks_gather(d->traffic, whole, true) : whole;
}

bool division_is_once(const division *d, const node *n)
{
    return d->parted && n->index > d->joined->index && n->index <= d->parted->index;
}

/* ---- What parts give ---- */

static tensor *mean_of_parts(const division *d, const char *name, tensor *x)
{
    if (d->parts <= 1 || x->poison || (x->from && division_is_once(d, x->from))) return x;
    tensor *sum = entry_of(x->graph, name, x, 1, DTYPE_F32); /* whatever the parts are stored in */
    return keep_early(op_part_add(sum, x, d->part, 1.0f / (float)d->parts));
}

tensor *division_mean(const division *d, const char *name, tensor *x)
{
    x = mean_of_parts(d, name, x);
    if (!d->traffic || x->poison) return x;
    ranks_arrive(ranks_leave(d->traffic, x->graph, d->comm, 1, &x), x->graph, &x);
    return x;
}

tensor *division_whole(const division *d, const char *name, tensor *x)
{
    if (division_parts(d) <= 1 || x->poison) return x;
    tensor *whole =
        keep_early(op_part_put(entry_of(x->graph, name, x, division_parts(d), x->type), x, d->random));
    return d->traffic && !whole->poison ? ranks_gather(d->traffic, whole, false) : whole;
}

tensor *division_mean_of_ranks(const division *d, tensor *x)
{
    return d && d->traffic ? ranks_mean(d->traffic, x) : x;
}

void division_end(const division *d, graph *g)
{
    if (d->parts > 1) graph_segment(g);
}

/* ---- The means of gradients ---- */

/* One of them, and whom it is a mean over. */
typedef struct sent {
    tensor **x;
    comm *among;
} sent;

/* In the order in which the device makes them, which is alike on all ranks. */
static int by_making(const void *a, const void *b)
{
    tensor *const *x = ((const sent *)a)->x, *const *y = ((const sent *)b)->x;
    int first = (*x)->from ? (*x)->from->index : -1, second = (*y)->from ? (*y)->from->index : -1;
    return first != second ? (first > second) - (first < second) : (x > y) - (x < y);
}

/* How many of these, from the first on, leave together. */
static int bucket_size(const sent *order, int count)
{
    int64_t bytes = 0;
    int size = 0;
    while (size < count && size < BUCKET_TENSORS && bytes < BUCKET_BYTES)
        bytes += tensor_count(*order[size++].x) * (int64_t)sizeof(float);
    return size;
}

typedef struct bucket {
    ranks_journey *journey;
    tensor *x[BUCKET_TENSORS];
    tensor **to[BUCKET_TENSORS];
    int count;
} bucket;

/* Fills buckets and lets them leave; how many. */
static int leave_in_buckets(const division *d, graph *g, const sent *order, int count, bucket *buckets)
{
    int made = 0;
    for (int first = 0; first < count; ++made) {
        bucket *b = &buckets[made];
        b->count = bucket_size(order + first, count - first);
        for (int i = 0; i < b->count; ++i) {
            b->to[i] = order[first + i].x;
            b->x[i] = *b->to[i];
        }
        b->journey = ranks_leave(d->traffic, g, order->among, b->count, b->x);
        first += b->count;
    }
    return made;
}

/* Those of pieces, or the others, as they are made; how many.  What this rank alone has does not travel. */
static int choose(const division *d, graph *g, int count, const store_entry *const *of, tensor **x,
                  bool pieces, sent *order)
{
    int chosen = 0;
    for (int i = 0; i < count; ++i) {
        comm *among = pieces_alike(graph_store(g), of[i], d->comm);
        if (among && pieces == (split_axis(of[i]) >= 0)) order[chosen++] = (sent){ &x[i], among };
    }
    if (chosen) qsort(order, (size_t)chosen, sizeof *order, by_making);
    return chosen;
}

static void mean_over_ranks(const division *d, graph *g, int count, const store_entry *const *of, tensor **x)
{
    sent *order = malloc((size_t)count * sizeof *order);
    bucket *buckets = calloc((size_t)count, sizeof *buckets);
    if (!order || !buckets) {
        graph_no_memory(g);
    } else {
        int made = 0;
        for (int pieces = 0; pieces < 2; ++pieces)
            made += leave_in_buckets(d, g, order, choose(d, g, count, of, x, pieces, order), buckets + made);
        division_end(d, g);
        for (int k = 0; k < made; ++k) {
            ranks_arrive(buckets[k].journey, g, buckets[k].x);
            for (int i = 0; i < buckets[k].count; ++i) *buckets[k].to[i] = buckets[k].x[i];
        }
    }
    free(order);
    free(buckets);
}

void division_means(const division *d, graph *g, int count, const store_entry *const *of,
                    const char *const *names, tensor **x, bool own)
{
    bool sound = true;
    for (int i = 0; i < count; ++i) {
        x[i] = mean_of_parts(d, names[i], x[i]);
        sound = sound && !x[i]->poison;
    }
    if (d->traffic && !own && sound)
        mean_over_ranks(d, g, count, of, x);
    else
        division_end(d, g);
}

/* ---- Running ---- */

static bool run_parts(const division *d, graph *g, int segment, division_write write, void *context,
                      error *err)
{
    for (int64_t i = 0; i < d->parts; ++i) {
        if (d->traffic) ranks_begin_part(d->traffic, i);
        if (!write(context, i * d->samples, err) || !graph_run_segment(g, segment, err)) return false;
    }
    return graph_run_segment(g, segment + 1, err);
}

static bool run(const division *d, graph *g, division_write write, void *context, error *err)
{
    if (d->parts <= 1) return write(context, 0, err) && graph_run(g, err);
    return run_parts(d, g, 0, write, context, err) && (!d->parted || run_parts(d, g, 2, write, context, err));
}

bool division_run(const division *d, graph *g, division_write write, void *context, error *err)
{
    bool ok = run(d, g, write, context, err);
    if (!ok && d->traffic) ranks_settle(d->traffic, g);
    return ok;
}

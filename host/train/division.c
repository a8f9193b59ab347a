/* division.c -- see division.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/division.h"

#include "host/ops/ops.h"

#include <stdio.h>

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
    din[0] = op_scale(dout[0], (float)(*d)->parts);
    (*d)->parted = din[0]->from;
    graph_segment(n->graph);
}

static const op_def joint = { .name = "division_join", .infer = joint_infer, .grad = joint_grad };

tensor *division_join(division *d, const char *name, tensor *x)
{
    if (d->parts <= 1 || x->poison) return x;
    graph *g = x->graph;
    tensor *whole = op_part_put(entry_of(g, name, x, d->parts, x->type), x, d->random);
    whole = graph_node1(g, &joint, 1, &whole, &d, sizeof d);
    d->joined = whole->from;
    graph_segment(g);
    return whole;
}

bool division_is_once(const division *d, const node *n)
{
    return d->parted && n->index > d->joined->index && n->index <= d->parted->index;
}

/* ---- What parts give ---- */

tensor *division_mean(const division *d, const char *name, tensor *x)
{
    if (d->parts <= 1 || x->poison || (x->from && division_is_once(d, x->from))) return x;
    tensor *sum = entry_of(x->graph, name, x, 1, DTYPE_F32); /* whatever the parts are stored in */
    return keep_early(op_part_add(sum, x, d->random, 1.0f / (float)d->parts));
}

tensor *division_whole(const division *d, const char *name, tensor *x)
{
    if (d->parts <= 1 || x->poison) return x;
    return keep_early(op_part_put(entry_of(x->graph, name, x, d->parts, x->type), x, d->random));
}

void division_end(const division *d, graph *g)
{
    if (d->parts > 1) graph_segment(g);
}

static bool run_parts(const division *d, graph *g, int segment, division_write write, void *context,
                      error *err)
{
    for (int64_t i = 0; i < d->parts; ++i)
        if (!write(context, i * d->samples, err) || !graph_run_segment(g, segment, err)) return false;
    return graph_run_segment(g, segment + 1, err);
}

bool division_run(const division *d, graph *g, division_write write, void *context, error *err)
{
    if (d->parts <= 1) return write(context, 0, err) && graph_run(g, err);
    return run_parts(d, g, 0, write, context, err) && (!d->parted || run_parts(d, g, 2, write, context, err));
}

/* division.c -- see division.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/division.h"

#include "host/ops/ops.h"

#include <stdio.h>

/* Never saved: between two steps they hold nothing that is needed. */
static tensor *entry_of(graph *g, const char *name, const tensor *x, int64_t parts)
{
    char scoped[640];
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < x->rank; ++i) dim[i] = x->dim[i] * (i ? 1 : parts);
    snprintf(scoped, sizeof scoped, "part.%s", name);
    store_entry *e = graph_declare(g, scoped, STORE_SUM, x->type, x->rank, dim);
    return e ? graph_entry(g, e) : graph_poison(g);
}

/* At once, so that what was added up need not be kept. */
static tensor *keep_early(tensor *updated)
{
    graph_update(updated);
    graph_advance(updated);
    return updated;
}

tensor *division_mean(const division *d, const char *name, tensor *x)
{
    if (d->parts <= 1 || x->poison) return x;
    tensor *sum = entry_of(x->graph, name, x, 1);
    return keep_early(op_part_add(sum, x, d->random, 1.0f / (float)d->parts));
}

tensor *division_whole(const division *d, const char *name, tensor *x)
{
    if (d->parts <= 1 || x->poison) return x;
    return keep_early(op_part_put(entry_of(x->graph, name, x, d->parts), x, d->random));
}

void division_end(const division *d, graph *g)
{
    if (d->parts > 1) graph_segment(g);
}

bool division_run(const division *d, graph *g, division_write write, void *context, error *err)
{
    if (d->parts <= 1) return write(context, 0, err) && graph_run(g, err);
    for (int64_t i = 0; i < d->parts; ++i)
        if (!write(context, i * d->samples, err) || !graph_run_segment(g, 0, err)) return false;
    return graph_run_segment(g, 1, err);
}

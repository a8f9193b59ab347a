/* tensor.c -- questions about shapes, and the whole of what a rank has a piece of.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"
#include "host/graph/split.h"

#include <stdio.h>

int64_t tensor_count(const tensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->rank; ++i) count *= t->dim[i];
    return count;
}

bool tensor_is_contiguous(const tensor *t)
{
    int64_t stride = 1;
    for (int i = t->rank - 1; i >= 0; --i) {
        if (t->dim[i] != 1 && t->stride[i] != stride) return false;
        stride *= t->dim[i];
    }
    return true;
}

bool tensor_same_shape(const tensor *a, const tensor *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; ++i)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

bool tensor_is_suffix(const tensor *b, const tensor *a)
{
    if (b->rank > a->rank) return false;
    for (int i = 0; i < b->rank; ++i)
        if (b->dim[i] != a->dim[a->rank - b->rank + i]) return false;
    return true;
}

int64_t tensor_last(const tensor *t)
{
    return t->rank ? t->dim[t->rank - 1] : 1;
}

int64_t tensor_rows(const tensor *t)
{
    return tensor_count(t) / tensor_last(t);
}

const char *tensor_shape_text(const tensor *t)
{
    char text[160];
    int used = snprintf(text, sizeof text, "[");
    for (int i = 0; i < t->rank; ++i)
        used +=
            snprintf(text + used, sizeof text - (size_t)used, "%s%lld", i ? "," : "", (long long)t->dim[i]);
    snprintf(text + used, sizeof text - (size_t)used, "]");
    const char *kept = arena_strdup(t->graph->arena, text);
    return kept ? kept : "[?]";
}

tensor *split_whole(tensor *x)
{
    if (!x || x->poison) return x;
    const split *how = store_split(graph_store(x->graph));
    if (!how) return x;
    const tensor *of = x->from && x->from->in_count == 1 ? x->from->in[0] : x;
    const store_entry *e = graph_entry_of(of);
    if (!e || split_axis(e) < 0 || !tensor_same_shape(of, x)) return x;
    return how->whole(how->self, x, split_axis(e));
}

/* autograd.c -- reverse-mode differentiation: appends, for each node in reverse order, the nodes of
 * its gradient, adding up contributions where a tensor was used more than once.
 *
 * A product that makes a contribution adds the others by itself, if nothing else has seen its result
 * (graph_sole_maker).
 *
 * A recomputed stretch is copied, node by node, in front of its gradient: the copies take the place of
 * the originals in what their gradients read, so that the originals' activations need not be kept.
 * Copies keep their names, hence their random numbers.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tensor_record *record_of(const tensor *t)
{
    return (tensor_record *)(uintptr_t)t;
}

static bool add_part(graph *g, tensor *t, tensor *part)
{
    if (!part || part->poison || t->poison || !t->needs_gradient) return true;
    tensor_record *r = record_of(t);
    if (!tensor_same_shape(t, part))
        return graph_fail(g, "the gradient of a %s tensor has shape %s", tensor_shape_text(t),
                          tensor_shape_text(part));
    if (r->part_count == r->part_capacity) {
        int capacity = r->part_capacity ? r->part_capacity * 2 : 4;
        tensor **parts = arena_alloc(g->arena, (size_t)capacity * sizeof *parts);
        if (!parts) return graph_no_memory(g);
        if (r->part_count) memcpy(parts, r->parts, (size_t)r->part_count * sizeof *parts);
        r->parts = parts;
        r->part_capacity = capacity;
    }
    r->parts[r->part_count++] = part;
    ++part->storage->gradients;
    return true;
}

static bool reads(const node *n, const storage *st)
{
    if (!n->def->bind && n->out_count && n->out[0]->storage == st) return false; /* a view */
    for (int k = 0; k < n->in_count; ++k)
        if (n->in[k] && n->in[k]->storage == st) return true;
    return false;
}

node *graph_sole_maker(const tensor *t)
{
    const graph *g = t->graph;
    node *n = t->from;
    while (n && !n->def->bind) n = n->in[0]->from; /* views */
    if (!n || !n->addend || n->in[n->addend] || n->out[0]->storage != t->storage) return NULL;
    if (!tensor_is_contiguous(t) || tensor_count(t) != tensor_count(n->out[0])) return NULL;
    if (t->storage->gradients != 1 || t->storage->keep) return NULL;
    for (int i = n->index + 1; i < g->node_count; ++i)
        if (reads(g->nodes[i], t->storage)) return NULL;
    return n;
}

/* Whether the node that makes `part` could take `addend` in. */
static bool take_in(tensor *part, tensor *addend)
{
    node *n = graph_sole_maker(part);
    if (!n || addend->type != part->type || !tensor_same_shape(addend, part)) return false;
    if (!tensor_is_contiguous(addend) || (addend->from && addend->from->index > n->index)) return false;
    n->in[n->addend] = addend;
    return true;
}

/* The sum of the contributions so far, or NULL if there are none. */
static tensor *resolve(graph *g, tensor *t)
{
    tensor_record *r = record_of(t);
    int left = 0;
    for (int i = 0; i < r->part_count; ++i) {
        if (left && take_in(r->parts[i], r->parts[left - 1])) --left;
        r->parts[left++] = r->parts[i];
    }
    if (left) r->gradient = graph_accumulate(g, left, r->parts);
    if (left > 1 && !r->gradient->poison) ++r->gradient->storage->gradients;
    r->part_count = 0;
    return r->gradient;
}

tensor *graph_gradient(graph *g, const tensor *t)
{
    if (t->poison) return graph_poison(g);
    return resolve(g, &record_of(t)->tensor);
}

static tensor *twin_of(tensor *t)
{
    tensor *twin = t ? record_of(t)->twin : NULL;
    return twin ? twin : t;
}

/* Appends copies of the nodes of recomputed stretch `stretch`. */
static void copy_stretch(graph *g, int stretch, int before)
{
    for (int i = 0; i < before; ++i) {
        node *n = g->nodes[i];
        if (n->stretch != stretch) continue;
        tensor *in[NODE_INPUTS_MAX];
        for (int k = 0; k < n->in_count; ++k) in[k] = twin_of(n->in[k]);
        node *copy = arena_alloc(g->arena, sizeof *copy);
        if (!copy || !GROW(g->nodes, g->node_count, g->node_capacity)) {
            graph_no_memory(g);
            return;
        }
        *copy = *n;
        memcpy(copy->in, in, sizeof in);
        copy->out_count = 0;
        copy->stretch = NODE_RECOMPUTED;
        copy->live = false;
        copy->workspace = NULL;
        copy->index = g->node_count;
        if (!n->def->infer(copy) || g->failed) return;
        for (int k = 0; k < n->out_count; ++k) {
            copy->out[k]->needs_gradient = n->out[k]->needs_gradient;
            record_of(n->out[k])->twin = copy->out[k];
        }
        g->nodes[g->node_count++] = copy;
    }
}

static bool any_gradient(graph *g, node *n, tensor **dout)
{
    bool any = false;
    for (int k = 0; k < n->out_count; ++k) {
        dout[k] = n->out[k]->needs_gradient ? resolve(g, n->out[k]) : NULL;
        any |= dout[k] != NULL;
    }
    return any;
}

void graph_backward(graph *g, tensor *loss)
{
    if (loss->poison || g->failed) return;
    if (tensor_count(loss) != 1) {
        graph_fail(g, "the loss has shape %s; a scalar is needed", tensor_shape_text(loss));
        return;
    }
    if (!loss->needs_gradient) {
        graph_fail(g, "the loss depends on no trained parameter");
        return;
    }
    int count = g->node_count;
    bool *copied = calloc((size_t)g->stretch_count + 1, sizeof *copied);
    if (!copied) {
        graph_no_memory(g);
        return;
    }
    add_part(g, loss, graph_fill(g, 1.0f, loss->rank, loss->dim, loss->type));
    for (int i = count - 1; i >= 0 && !g->failed; --i) {
        node *n = g->nodes[i];
        tensor *dout[NODE_OUTPUTS_MAX] = { 0 }, *din[NODE_INPUTS_MAX] = { 0 };
        if (!n->def->grad || !any_gradient(g, n, dout)) continue;
        if (n->stretch && !copied[n->stretch]) {
            copied[n->stretch] = true;
            copy_stretch(g, n->stretch, count);
            if (g->failed) break;
        }
        node *from = n;
        if (n->stretch && record_of(n->out[0])->twin) from = record_of(n->out[0])->twin->from;
        char scope[sizeof g->scope];
        memcpy(scope, g->scope, sizeof scope);
        snprintf(g->scope, sizeof g->scope, "%.400s.backward", n->name);
        n->def->grad(from, dout, din);
        memcpy(g->scope, scope, sizeof scope);
        for (int k = 0; k < n->in_count && !g->failed; ++k)
            if (n->in[k]) add_part(g, n->in[k], din[k]);
        for (int k = 0; k < n->out_count; ++k)
            if (dout[k] && !dout[k]->poison) --dout[k]->storage->gradients; /* nobody asks for them again */
    }
    free(copied);
}

/* order.c -- the order in which nodes run, and where a step may stop between them.
 * SPDX-License-Identifier: MIT */
#include "host/graph/internal.h"

static void put_at(graph *g, int index, node *n)
{
    g->nodes[index] = n;
    n->index = index;
}

static void move(node *n, int to)
{
    graph *g = n->graph;
    for (; n->index > to; put_at(g, n->index - 1, n)) put_at(g, n->index, g->nodes[n->index - 1]);
    for (; n->index < to; put_at(g, n->index + 1, n)) put_at(g, n->index, g->nodes[n->index + 1]);
}

int graph_earliest(const node *n)
{
    int to = 0;
    for (int k = 0; k < n->in_count; ++k)
        if (n->in[k] && n->in[k]->from && n->in[k]->from->index >= to) to = n->in[k]->from->index + 1;
    return to;
}

void graph_advance(tensor *t)
{
    node *n = t->from;
    if (!n || t->poison) return;
    graph *g = n->graph;
    CHECK(n->index == g->node_count - 1, "%s is node %d of %d, not the last", n->name, n->index,
          g->node_count);
    const int to = graph_earliest(n);
    move(n, to);
    for (int i = 0; i < g->break_count; ++i) g->breaks[i] += g->breaks[i] > to;
}

int graph_segment_of(const graph *g, int index)
{
    int segment = 0;
    while (segment < g->break_count && g->breaks[segment] <= index) ++segment;
    return segment;
}

void graph_move(node *n, int to)
{
    const graph *g = n->graph;
    CHECK(graph_segment_of(g, n->index) == graph_segment_of(g, to), "%s moves from %d to %d, another segment",
          n->name, n->index, to);
    move(n, to);
}

void graph_segment(graph *g)
{
    if (!GROW(g->breaks, g->break_count, g->break_capacity)) {
        graph_no_memory(g);
        return;
    }
    g->breaks[g->break_count++] = g->node_count;
}

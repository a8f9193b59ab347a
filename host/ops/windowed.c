/* windowed.c -- checks of windows, and their kernels' arguments.
 * SPDX-License-Identifier: MIT */
#include "host/ops/windowed.h"

#define MOST (1 << 20) /* of a size, a stride, padding: kernels count in int */

static bool within(const int32_t pair[2], int32_t least)
{
    return pair[0] >= least && pair[1] >= least && pair[0] <= MOST && pair[1] <= MOST;
}

bool windowed_fits(const node *n, const tensor *x, const window *w)
{
    const char *name = n->def->name;
    if (!within(w->size, 1) || !within(w->stride, 1))
        return graph_fail(n->graph, "%s: a window of %dx%d with strides %d and %d; from 1 to %d are possible",
                          name, w->size[0], w->size[1], w->stride[0], w->stride[1], MOST);
    if (!within(w->before, -MOST) || !within(w->after, -MOST))
        return graph_fail(n->graph, "%s: padding of %d, %d rows and %d, %d columns; at most %d are possible",
                          name, w->before[0], w->after[0], w->before[1], w->after[1], MOST);
    if (window_places(w, 0, x->dim[1]) > 0 && window_places(w, 1, x->dim[2]) > 0) return true;
    return graph_fail(
        n->graph, "%s: a window of %dx%d does not fit into %s with padding of %d, %d rows and %d, %d columns",
        name, w->size[0], w->size[1], tensor_shape_text(x), w->before[0], w->after[0], w->before[1],
        w->after[1]);
}

void windowed_arguments(kernel_call *c, const tensor *x, const tensor *y, const window *w)
{
    const int64_t values[] = { x->dim[1],  x->dim[2],    y->dim[1],    y->dim[2],    x->dim[3],   w->size[0],
                               w->size[1], w->stride[0], w->stride[1], w->before[0], w->before[1] };
    for (size_t i = 0; i < sizeof values / sizeof *values; ++i) call_int(c, values[i]);
}

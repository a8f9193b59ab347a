/* stop_gradient.c -- x, through which no gradient flows.  A view without a gradient.
 * SPDX-License-Identifier: MIT */
#include "host/ops/shared.h"

static bool stop_gradient_infer(node *n)
{
    const tensor *x = n->in[0];
    return !node_output_view(n, 0, x->rank, x->dim, x->stride, 0)->poison;
}

static const op_def stop_gradient = { .name = "stop_gradient", .infer = stop_gradient_infer };

tensor *op_stop_gradient(tensor *x)
{
    return graph_node1(x->graph, &stop_gradient, 1, &x, NULL, 0);
}

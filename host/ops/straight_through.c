/* straight_through.c -- the value of `hard`, the gradient of `soft`: a view, no work and no memory.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool straight_through_infer(node *n)
{
    const tensor *hard = n->in[0];
    if (!expect_float(n, 0, "hard") || !expect_float(n, 1, "soft") || !expect_like(n, 1, "soft", 0, false))
        return false;
    node_output_view(n, 0, hard->rank, hard->dim, hard->stride, 0);
    return true;
}

static void straight_through_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    dtype type = n->in[1]->type;
    din[1] = dout[0]->type == type ? dout[0] : op_cast(dout[0], type);
}

static const op_def straight_through = { .name = "straight_through",
                                         .infer = straight_through_infer,
                                         .grad = straight_through_grad };

tensor *op_straight_through(tensor *hard, tensor *soft)
{
    tensor *in[] = { hard, soft };
    return graph_node1(hard->graph, &straight_through, 2, in, NULL, 0);
}

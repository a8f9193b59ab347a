/* ema.c -- average = d average + (1 - d) parameter, in place; d = decay[0], and 1 leaves it as it is.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool ema_infer(node *n)
{
    if (!expect_float(n, 0, "average") || !expect_float(n, 1, "parameter") ||
        !expect_like(n, 1, "parameter", 0, false) || !expect_control(n, 2, "decay", DTYPE_F32, 1))
        return false;
    node_output_in_place(n, 0);
    return true;
}

static bool ema_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "ema_update");
    call_tensor(&c, "AVERAGE", n->out[0]);
    call_tensor(&c, "PARAMETER", n->in[1]);
    call_tensor(&c, "DECAY", n->in[2]);
    call_int(&c, tensor_count(n->in[1]));
    return call_elements(&c, tensor_count(n->in[1]));
}

static const op_def ema = { .name = "ema", .infer = ema_infer, .bind = ema_bind };

tensor *op_ema(tensor *average, tensor *parameter, tensor *decay)
{
    tensor *in[] = { average, op_contiguous(parameter), decay };
    return graph_node1(average->graph, &ema, 3, in, NULL, 0);
}

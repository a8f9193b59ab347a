/* error_feedback.c -- what a lossy sum of gradients has not sent yet, in place:
 *   error_add    error += factor x / scale; what is not finite then is not a number
 *   error_take   error -= x where scale[2], op_gradient_scale's flag, is set; then what is not finite is 0
 * So a step that is skipped loses of its gradient what was not finite, and nothing else.  No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool infer(node *n, int64_t scales)
{
    if (!expect_float(n, 0, "error") || !expect_float(n, 1, "x") || !expect_like(n, 1, "x", 0, false) ||
        (n->in_count > 2 && !expect_control(n, 2, "scale", DTYPE_F32, scales)))
        return false;
    node_output_in_place(n, 0);
    return true;
}

static bool error_add_infer(node *n)
{
    return infer(n, 1);
}

static bool error_add_bind(const node *n, binder *b)
{
    const float *factor = n->attributes;
    kernel_call c = call_begin_in(b, n, "ops/error_feedback", "error_add");
    call_define(&c, "SCALED=%d", n->in_count > 2);
    call_tensor(&c, "ERROR", n->out[0]);
    call_tensor(&c, "X", n->in[1]);
    if (n->in_count > 2) call_tensor(&c, "SCALE", n->in[2]);
    call_int(&c, tensor_count(n->in[1]));
    call_float(&c, *factor);
    return call_elements(&c, tensor_count(n->in[1]));
}

static const op_def error_add = { .name = "error_add", .infer = error_add_infer, .bind = error_add_bind };

tensor *op_error_add(tensor *kept, tensor *x, tensor *scale, float factor)
{
    tensor *in[] = { kept, op_contiguous(x), scale };
    return graph_node1(kept->graph, &error_add, scale ? 3 : 2, in, &factor, sizeof factor);
}

static bool error_take_infer(node *n)
{
    return infer(n, 4);
}

static bool error_take_bind(const node *n, binder *b)
{
    kernel_call c = call_begin_in(b, n, "ops/error_feedback", "error_take");
    call_tensor(&c, "ERROR", n->out[0]);
    call_tensor(&c, "X", n->in[1]);
    call_tensor(&c, "SCALE", n->in[2]);
    call_int(&c, tensor_count(n->in[1]));
    return call_elements(&c, tensor_count(n->in[1]));
}

static const op_def error_take = { .name = "error_take", .infer = error_take_infer, .bind = error_take_bind };

tensor *op_error_take(tensor *kept, tensor *x, tensor *scale)
{
    tensor *in[] = { kept, op_contiguous(x), scale };
    return graph_node1(kept->graph, &error_take, 3, in, NULL, 0);
}

/* scales.c -- gradient scales, which keep what is stored in 16 bits from underflow.  Scale i is 2^(start +
 * e / 1000), where e = state[i][0] begins at 0: after `every` finite steps in a row e rises by `grow`, in a
 * step that is not finite it falls by `shrink`, but not twice within `apart` steps, and never leaves
 * low..high. state[i] = {e, finite steps in a row, steps until it may fall again, how often it has fallen}.
 *   scales         the values, from the state
 *   scales_status  from the groups' sums of squares: what their gradients are multiplied by, and whether
 *   scales_update  the state after the step
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

static bool expect_state(const node *n)
{
    const tensor *state = n->in[0];
    return expect_type(n, 0, "state", DTYPE_F32) &&
           expect_shape(n, 0, "state", 2, (int64_t[]){ state->dim[0], 4 });
}

/* ---- Values ---- */

static bool scales_infer(node *n)
{
    return expect_state(n) && !node_output(n, DTYPE_F32, 1, n->in[0]->dim)->poison;
}

static bool scales_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "scales_values");
    call_tensor(&c, "SCALES", n->out[0]);
    call_tensor(&c, "STATE", n->in[0]);
    call_float(&c, *(const float *)n->attributes);
    call_int(&c, n->in[0]->dim[0]);
    return call_items(&c, n->in[0]->dim[0]);
}

static const op_def scales = { .name = "scales", .infer = scales_infer, .bind = scales_bind };

tensor *op_scales(tensor *state, float start)
{
    return graph_node1(state->graph, &scales, 1, &state, &start, sizeof start);
}

/* ---- What becomes of the gradients ---- */

static bool status_infer(node *n)
{
    const int64_t count = n->in[1]->dim[0];
    return expect_control(n, 1, "scales", DTYPE_F32, count) &&
           expect_control(n, 0, "the sums of squares", DTYPE_F32, count + 1) &&
           !node_output(n, DTYPE_F32, 2, (int64_t[]){ count + 1, 4 })->poison;
}

static bool status_bind(const node *n, binder *b)
{
    kernel_call c = call_begin_in(b, n, "ops/scales", "scales_status");
    call_tensor(&c, "STATUS", n->out[0]);
    call_tensor(&c, "SUMS", n->in[0]);
    call_tensor(&c, "SCALES", n->in[1]);
    call_float(&c, *(const float *)n->attributes);
    call_int(&c, n->in[1]->dim[0]);
    return call_items(&c, 1);
}

static const op_def status = { .name = "scales_status", .infer = status_infer, .bind = status_bind };

tensor *op_scales_status(tensor *sums, tensor *scale, float limit)
{
    tensor *in[] = { op_contiguous(sums), scale };
    return graph_node1(sums->graph, &status, 2, in, &limit, sizeof limit);
}

/* ---- The next step's ---- */

static bool update_infer(node *n)
{
    const int64_t count = n->in[0]->dim[0];
    if (!expect_state(n) || !expect_type(n, 1, "status", DTYPE_F32) ||
        !expect_shape(n, 1, "status", 2, (int64_t[]){ count + 1, 4 }))
        return false;
    node_output_in_place(n, 0);
    return true;
}

static bool update_bind(const node *n, binder *b)
{
    const scales_rule *r = n->attributes;
    kernel_call c = call_begin_in(b, n, "ops/scales", "scales_update");
    call_tensor(&c, "STATE", n->out[0]);
    call_tensor(&c, "STATUS", n->in[1]);
    call_int(&c, n->in[0]->dim[0]);
    call_int(&c, r->grow);
    call_int(&c, r->every);
    call_int(&c, r->shrink);
    call_int(&c, r->apart);
    call_int(&c, r->low);
    call_int(&c, r->high);
    return call_items(&c, n->in[0]->dim[0]);
}

static const op_def update = { .name = "scales_update", .infer = update_infer, .bind = update_bind };

tensor *op_scales_update(tensor *state, tensor *of_step, const scales_rule *rule)
{
    tensor *in[] = { state, of_step };
    return graph_node1(state->graph, &update, 2, in, rule, sizeof *rule);
}

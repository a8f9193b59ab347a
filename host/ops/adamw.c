/* adamw.c -- AdamW (arXiv 1711.05101, algorithm 2) with bias correction, in place:
 *   g = scale[0] gradient;  m = b1 m + (1 - b1) g;  v = min(b2 v + (1 - b2) g^2, limit)
 *   parameter -= rate ((m / c1) / (sqrt(v / c2) + epsilon) + decay parameter)
 * with rate, c1 = 1 - b1^t, c2 = 1 - b2^t from `schedule`.  Nothing changes when scale[2] is 0.
 * Parameter and moments are of any type: the step follows from m and v as computed, in F32, and then each is
 * rounded to its own.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

#include <math.h>

enum { PARAMETER, GRADIENT, MEAN, VARIANCE, SCHEDULE, SCALE, RANDOM, INPUTS };

static bool adamw_infer(node *n)
{
    static const char *const names[] = { "parameter", "gradient", "mean", "variance" };
    const adamw_terms *a = n->attributes;
    if (!(a->variance_limit >= 0.0f))
        return graph_fail(n->graph, "adamw: the variance's limit is %g; it must be 0 or more",
                          (double)a->variance_limit);
    for (int i = 0; i <= VARIANCE; ++i) {
        if (!expect_float(n, i, names[i]) || !expect_like(n, i, names[i], 0, false)) return false;
    }
    if (!expect_control(n, SCHEDULE, "schedule", DTYPE_F32, 4) ||
        !expect_control(n, SCALE, "scale", DTYPE_F32, 4) ||
        (n->in[RANDOM] && !expect_control(n, RANDOM, "random", DTYPE_I32, 4)))
        return false;
    node_output_in_place(n, PARAMETER);
    node_output_in_place(n, MEAN);
    node_output_in_place(n, VARIANCE);
    return true;
}

static bool adamw_bind(const node *n, binder *b)
{
    const adamw_terms *a = n->attributes;
    kernel_call c = call_begin(b, n, "adamw_update");
    call_tensor(&c, "PARAMETER", n->out[0]);
    call_tensor(&c, "MEAN", n->out[1]);
    call_tensor(&c, "VARIANCE", n->out[2]);
    call_tensor(&c, "GRADIENT", n->in[GRADIENT]);
    call_tensor(&c, "SCHEDULE", n->in[SCHEDULE]);
    call_tensor(&c, "SCALE", n->in[SCALE]);
    call_int(&c, tensor_count(n->in[GRADIENT]));
    call_float(&c, a->beta1);
    call_float(&c, (float)(1.0 - (double)a->beta1));
    call_float(&c, a->beta2);
    call_float(&c, (float)(1.0 - (double)a->beta2));
    call_float(&c, a->epsilon);
    call_float(&c, a->decay);
    call_float(&c, a->variance_limit > 0.0f ? a->variance_limit : INFINITY);
    if (n->in[RANDOM]) {
        call_tensor(&c, "RANDOM", n->in[RANDOM]);
        call_uint(&c, a->stream);
    }
    return call_elements(&c, tensor_count(n->in[GRADIENT]));
}

static const op_def adamw = { .name = "adamw", .infer = adamw_infer, .bind = adamw_bind };

tensor *op_adamw(tensor *parameter, tensor *gradient, tensor *mean, tensor *variance, tensor *schedule,
                 tensor *scale, tensor *random, const adamw_terms *terms)
{
    tensor *in[INPUTS] = { parameter, op_contiguous(gradient), mean, variance, schedule, scale, random };
    return graph_node1(parameter->graph, &adamw, INPUTS, in, terms, sizeof *terms);
}

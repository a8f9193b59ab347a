/* adamw.c -- AdamW (arXiv 1711.05101, algorithm 2) with bias correction, in place:
 *   g = scale[0] gradient;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *   parameter -= rate ((m / c1) / (sqrt(v / c2) + epsilon) + decay parameter)
 * with rate, c1 = 1 - b1^t, c2 = 1 - b2^t from `schedule`.  Nothing changes when scale[2] is 0.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

typedef struct adamw_attributes {
    float beta1, beta2, epsilon, decay;
} adamw_attributes;

static bool adamw_infer(node *n)
{
    static const char *const names[] = { "parameter", "gradient", "mean", "variance" };
    for (int i = 0; i < 4; ++i) {
        if (!expect_float(n, i, names[i]) || !expect_like(n, i, names[i], 0, false)) return false;
    }
    if (!expect_control(n, 4, "schedule", DTYPE_F32, 4) || !expect_control(n, 5, "scale", DTYPE_F32, 4))
        return false;
    node_output_in_place(n, 0);
    node_output_in_place(n, 2);
    node_output_in_place(n, 3);
    return true;
}

static bool adamw_bind(const node *n, binder *b)
{
    const adamw_attributes *a = n->attributes;
    kernel_call c = call_begin(b, n, "adamw_update");
    call_tensor(&c, "PARAMETER", n->out[0]);
    call_tensor(&c, "MEAN", n->out[1]);
    call_tensor(&c, "VARIANCE", n->out[2]);
    call_tensor(&c, "GRADIENT", n->in[1]);
    call_tensor(&c, "SCHEDULE", n->in[4]);
    call_tensor(&c, "SCALE", n->in[5]);
    call_int(&c, tensor_count(n->in[1]));
    call_float(&c, a->beta1);
    call_float(&c, (float)(1.0 - (double)a->beta1));
    call_float(&c, a->beta2);
    call_float(&c, (float)(1.0 - (double)a->beta2));
    call_float(&c, a->epsilon);
    call_float(&c, a->decay);
    return call_elements(&c, tensor_count(n->in[1]));
}

static const op_def adamw = { .name = "adamw", .infer = adamw_infer, .bind = adamw_bind };

tensor *op_adamw(tensor *parameter, tensor *gradient, tensor *mean, tensor *variance, tensor *schedule,
                 tensor *scale, float beta1, float beta2, float epsilon, float decay)
{
    adamw_attributes a = { beta1, beta2, epsilon, decay };
    tensor *in[] = { parameter, op_contiguous(gradient), mean, variance, schedule, scale };
    return graph_node1(parameter->graph, &adamw, 6, in, &a, sizeof a);
}

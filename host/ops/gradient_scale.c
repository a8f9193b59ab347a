/* gradient_scale.c -- {scale, norm, finite, 0} from a sum of squares: norm = sqrt(sum), scale = limit / norm
 * where the norm is above the limit (0: no limit), else 1; finite = 0 and scale = 0 where the sum is not.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

typedef struct gradient_scale_attributes {
    float limit;
} gradient_scale_attributes;

static bool gradient_scale_infer(node *n)
{
    if (!expect_control(n, 0, "the sum of squares", DTYPE_F32, 1)) return false;
    node_output(n, DTYPE_F32, 1, (int64_t[]){ 4 });
    return true;
}

static bool gradient_scale_bind(const node *n, binder *b)
{
    const gradient_scale_attributes *a = n->attributes;
    kernel_call c = call_begin(b, n, "gradient_scale");
    call_tensor(&c, "SCALE", n->out[0]);
    call_tensor(&c, "SUM", n->in[0]);
    call_float(&c, a->limit);
    return call_items(&c, 1);
}

static const op_def gradient_scale = { .name = "gradient_scale",
                                       .infer = gradient_scale_infer,
                                       .bind = gradient_scale_bind };

tensor *op_gradient_scale(tensor *sum_squares, float limit)
{
    gradient_scale_attributes a = { limit };
    tensor *in[] = { sum_squares };
    return graph_node1(sum_squares->graph, &gradient_scale, 1, in, &a, sizeof a);
}

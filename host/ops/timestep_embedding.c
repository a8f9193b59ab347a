/* timestep_embedding.c -- a time as waves of falling frequency, the cosines first (arXiv 2006.11239's code;
 * the order is guided diffusion's).  No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

#include <math.h>

typedef struct timestep_attributes {
    int64_t channels;
    float period;
} timestep_attributes;

static bool timestep_embedding_infer(node *n)
{
    const timestep_attributes *a = n->attributes;
    const tensor *t = n->in[0];
    if (!expect_type(n, 0, "t", DTYPE_F32)) return false;
    if (t->rank != 1)
        return graph_fail(n->graph, "timestep_embedding: t must be [B], not %s", tensor_shape_text(t));
    if (a->channels < 2 || a->channels % 2 != 0)
        return graph_fail(n->graph, "timestep_embedding: %lld channels; an even number is needed",
                          (long long)a->channels);
    if (!(a->period > 1.0f))
        return graph_fail(n->graph, "timestep_embedding: period %g is not above 1", (double)a->period);
    node_output(n, DTYPE_F32, 2, (int64_t[]){ t->dim[0], a->channels });
    return true;
}

static bool timestep_embedding_bind(const node *n, binder *b)
{
    const timestep_attributes *a = n->attributes;
    int64_t samples = n->in[0]->dim[0];
    kernel_call c = call_begin(b, n, "timestep_embedding_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "TIME", n->in[0]);
    call_float(&c, -logf(a->period));
    call_int(&c, samples);
    call_int(&c, a->channels / 2);
    return call_items(&c, samples * (a->channels / 2));
}

static const op_def timestep_embedding = { .name = "timestep_embedding",
                                           .infer = timestep_embedding_infer,
                                           .bind = timestep_embedding_bind };

tensor *op_timestep_embedding(tensor *t, int64_t channels, float period)
{
    timestep_attributes a = { channels, period };
    t = op_contiguous(t);
    return graph_node1(t->graph, &timestep_embedding, 1, &t, &a, sizeof a);
}

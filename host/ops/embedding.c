/* embedding.c -- y[r] = table[ids[r]]; an id outside the table gives NaN, which the loss then shows.
 * Gradient: dtable[v] = sum of dy[r] over the rows r with ids[r] = v, in the order of rows.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"
#include "host/ops/sort_ids.h"

static bool embedding_infer(node *n)
{
    const tensor *table = n->in[0], *ids = n->in[1];
    if (!expect_float(n, 0, "table") || !expect_type(n, 1, "ids", DTYPE_I32)) return false;
    if (table->rank != 2 || ids->rank + 1 > TENSOR_RANK_MAX)
        return graph_fail(n->graph,
                          "embedding: table must be [V,C], not %s, and ids %s leave room for an axis",
                          tensor_shape_text(table), tensor_shape_text(ids));
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < ids->rank; ++i) dim[i] = ids->dim[i];
    dim[ids->rank] = table->dim[1];
    node_output(n, table->type, ids->rank + 1, dim);
    return true;
}

static bool embedding_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "embedding_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "TABLE", n->in[0]);
    call_tensor(&c, "IDS", n->in[1]);
    call_int(&c, n->in[0]->dim[0]);
    call_int(&c, n->in[0]->dim[1]);
    return call_rows(&c, tensor_count(n->in[1]));
}

typedef struct backward_attributes {
    int64_t count;
    dtype type;
} backward_attributes;

static bool backward_infer(node *n)
{
    const backward_attributes *a = n->attributes;
    node_output(n, a->type, 2, (int64_t[]){ a->count, tensor_last(n->in[0]) });
    return true;
}

static int64_t backward_workspace(const node *n, device *d, error *err)
{
    (void)d;
    (void)err;
    return sort_ids_bytes(tensor_count(n->in[1]), n->out[0]->dim[0]);
}

static bool backward_bind(const node *n, binder *b)
{
    int64_t count = n->out[0]->dim[0];
    if (!sort_ids_bind(n, b, n->in[1], count)) return false;
    kernel_call c = call_begin(b, n, "embedding_backward");
    call_tensor(&c, "TABLE", n->out[0]);
    call_tensor(&c, "Y", n->in[0]);
    call_workspace(&c, "SCRATCH");
    call_int(&c, count);
    call_int(&c, tensor_last(n->in[0]));
    return call_rows(&c, count);
}

static const op_def embedding_backward = { "embedding", backward_infer, backward_bind, NULL,
                                           backward_workspace };

tensor *embedding_table_gradient(tensor *dy, tensor *ids, int64_t count, dtype type)
{
    backward_attributes a = { count, type };
    tensor *in[] = { op_contiguous(dy), ids };
    return graph_node1(ids->graph, &embedding_backward, 2, in, &a, sizeof a);
}

static void embedding_grad(node *n, tensor *const *dout, tensor **din)
{
    if (dout[0]) din[0] = embedding_table_gradient(dout[0], n->in[1], n->in[0]->dim[0], n->in[0]->type);
}

static const op_def embedding = { "embedding", embedding_infer, embedding_bind, embedding_grad, NULL };

tensor *op_embedding(tensor *table, tensor *ids)
{
    tensor *in[] = { op_contiguous(table), op_contiguous(ids) };
    return graph_node1(table->graph, &embedding, 2, in, NULL, 0);
}

/* embedding_padded.c -- y[b, t] = table[ids[b, t]], or padding[t] where the id is negative (B.1 of
 * arXiv 2102.12092: a learned padding embedding per text position).
 * Gradient: of the table as for embedding; dpadding[t] = sum over b of dy[b, t] where the id is negative.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"
#include "host/ops/sort_ids.h"

static bool embedding_padded_infer(node *n)
{
    const tensor *table = n->in[0], *ids = n->in[2];
    if (!expect_float(n, 0, "table") || !expect_type(n, 1, "padding", table->type) ||
        !expect_type(n, 2, "ids", DTYPE_I32))
        return false;
    if (table->rank != 2 || ids->rank != 2)
        return graph_fail(n->graph, "embedding_padded: table must be [V,C], not %s, and ids [B,T], not %s",
                          tensor_shape_text(table), tensor_shape_text(ids));
    int64_t wanted[] = { ids->dim[1], table->dim[1] };
    if (!expect_shape(n, 1, "padding", 2, wanted)) return false;
    node_output(n, table->type, 3, (int64_t[]){ ids->dim[0], ids->dim[1], table->dim[1] });
    return true;
}

static bool embedding_padded_bind(const node *n, binder *b)
{
    const tensor *ids = n->in[2];
    kernel_call c = call_begin(b, n, "embedding_padded_forward");
    call_tensor(&c, "Y", n->out[0]);
    call_tensor(&c, "TABLE", n->in[0]);
    call_tensor(&c, "PADDING", n->in[1]);
    call_tensor(&c, "IDS", ids);
    call_int(&c, n->in[0]->dim[0]);
    call_int(&c, ids->dim[1]);
    call_int(&c, n->in[0]->dim[1]);
    return call_rows(&c, tensor_count(ids));
}

/* Inputs dy, ids, padding; the last gives only shape and type. */
static bool embedding_padded_backward_infer(node *n)
{
    node_output(n, n->in[2]->type, 2, n->in[2]->dim);
    return true;
}

static bool embedding_padded_backward_bind(const node *n, binder *b)
{
    const tensor *dpadding = n->out[0];
    kernel_call c = call_begin(b, n, "embedding_padded_backward");
    call_tensor(&c, "PADDING", dpadding);
    call_tensor(&c, "Y", n->in[0]);
    call_tensor(&c, "IDS", n->in[1]);
    call_int(&c, n->in[1]->dim[0]);
    call_int(&c, dpadding->dim[0]);
    call_int(&c, dpadding->dim[1]);
    return call_rows(&c, dpadding->dim[0]);
}

static const op_def padding_backward = { .name = "embedding_padded",
                                         .infer = embedding_padded_backward_infer,
                                         .bind = embedding_padded_backward_bind };

static void embedding_padded_grad(node *n, tensor *const *dout, tensor **din)
{
    if (!dout[0]) return;
    tensor *dy = op_contiguous(dout[0]);
    din[0] = embedding_table_gradient(dy, n->in[2], n->in[0]->dim[0], n->in[0]->type);
    tensor *in[] = { dy, n->in[2], n->in[1] };
    din[1] = graph_node1(n->graph, &padding_backward, 3, in, NULL, 0);
}

static const op_def embedding_padded = { .name = "embedding_padded",
                                         .infer = embedding_padded_infer,
                                         .bind = embedding_padded_bind,
                                         .grad = embedding_padded_grad };

tensor *op_embedding_padded(tensor *table, tensor *padding, tensor *ids)
{
    tensor *in[] = { op_contiguous(table), op_contiguous(padding), op_contiguous(ids) };
    return graph_node1(table->graph, &embedding_padded, 3, in, NULL, 0);
}

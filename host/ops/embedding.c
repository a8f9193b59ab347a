/* embedding.c -- y[r] = table[ids[r]], or a sum of up to three such terms; an id outside its table gives NaN,
 * which the loss then shows. Gradient: dtable[v] = sum of dy[r] over the rows r with ids[r] = v, in the order
 * of rows.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"
#include "host/ops/sort_ids.h"

/* Inputs: table, ids, table, ids, .. */
enum { TABLE, IDS, EACH };

static int terms_of(const node *n)
{
    return n->in_count / EACH;
}

/* A kernel always takes EMBEDDING_TERMS of them: the first stands in for what is absent. */
static const tensor *term_input(const node *n, int t, int which)
{
    return n->in[(t < terms_of(n) ? t : 0) * EACH + which];
}

static bool term_fits(node *n, int t)
{
    const tensor *table = n->in[t * EACH + TABLE], *ids = n->in[t * EACH + IDS], *first = n->in[TABLE];
    if (!expect_float(n, t * EACH + TABLE, "table") || !expect_type(n, t * EACH + IDS, "ids", DTYPE_I32))
        return false;
    if (table->rank != 2 || ids->rank + 1 > TENSOR_RANK_MAX)
        return graph_fail(n->graph,
                          "embedding: table must be [V,C], not %s, and ids %s leave room for an axis",
                          tensor_shape_text(table), tensor_shape_text(ids));
    if (table->dim[1] != first->dim[1] || table->type != first->type)
        return graph_fail(n->graph, "embedding: tables %s %s and %s %s must have one width and type",
                          dtype_name(first->type), tensor_shape_text(first), dtype_name(table->type),
                          tensor_shape_text(table));
    const tensor *longest = n->in[IDS], *like = t == 0 ? longest : n->in[EACH + IDS];
    if (tensor_is_suffix(ids, longest) && tensor_same_shape(ids, like)) return true;
    return graph_fail(n->graph, "embedding: ids %s do not extend to %s, or differ from the second term's, %s",
                      tensor_shape_text(ids), tensor_shape_text(longest), tensor_shape_text(like));
}

static bool embedding_infer(node *n)
{
    for (int t = 0; t < terms_of(n); ++t)
        if (!term_fits(n, t)) return false;
    const tensor *table = n->in[TABLE], *ids = n->in[IDS];
    int64_t dim[TENSOR_RANK_MAX];
    for (int i = 0; i < ids->rank; ++i) dim[i] = ids->dim[i];
    dim[ids->rank] = table->dim[1];
    node_output(n, table->type, ids->rank + 1, dim);
    return true;
}

static bool embedding_bind(const node *n, binder *b)
{
    kernel_call c = call_begin(b, n, "embedding_forward");
    call_define(&c, "TERMS=%d", terms_of(n));
    call_tensor(&c, "Y", n->out[0]);
    for (int t = 0; t < EMBEDDING_TERMS; ++t) call_tensor(&c, "TABLE", term_input(n, t, TABLE));
    for (int t = 0; t < EMBEDDING_TERMS; ++t) call_tensor(&c, "IDS", term_input(n, t, IDS));
    for (int t = 0; t < EMBEDDING_TERMS; ++t) call_int(&c, term_input(n, t, TABLE)->dim[0]);
    call_int(&c, tensor_count(term_input(n, 1, IDS)));
    call_int(&c, n->in[TABLE]->dim[1]);
    return call_rows(&c, tensor_count(n->in[IDS]));
}

typedef struct backward_attributes {
    int64_t count;
    dtype type;
} backward_attributes;

static bool embedding_backward_infer(node *n)
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

static bool embedding_backward_bind(const node *n, binder *b)
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

static const op_def embedding_backward = { .name = "embedding",
                                           .infer = embedding_backward_infer,
                                           .bind = embedding_backward_bind,
                                           .workspace = backward_workspace };

tensor *embedding_table_gradient(tensor *dy, tensor *ids, int64_t count, dtype type)
{
    backward_attributes a = { count, type };
    tensor *in[] = { op_contiguous(dy), op_contiguous(ids) };
    return graph_node1(ids->graph, &embedding_backward, 2, in, &a, sizeof a);
}

/* dy [.., C] as [rows, C]: what repeated rows get is added up, once for all terms that repeat. */
static tensor *sum_of_repeats(tensor *dy, int64_t rows)
{
    int64_t columns = tensor_last(dy);
    if (tensor_rows(dy) != rows) dy = op_sum_rows(op_reshape(dy, 2, (int64_t[]){ -1, rows * columns }));
    return op_reshape(dy, 2, (int64_t[]){ rows, columns });
}

static void embedding_grad(node *n, tensor *const *dout, tensor **din)
{
    tensor *dy = dout[0], *repeated = NULL;
    for (int t = 0; dy && t < terms_of(n); ++t) {
        tensor *table = n->in[t * EACH + TABLE], *ids = n->in[t * EACH + IDS];
        if (!table->needs_gradient) continue;
        if (t > 0 && !repeated) repeated = sum_of_repeats(dy, tensor_count(ids));
        din[t * EACH + TABLE] =
            embedding_table_gradient(t > 0 ? repeated : dy, ids, table->dim[0], table->type);
    }
}

static const op_def embedding = {
    .name = "embedding", .infer = embedding_infer, .bind = embedding_bind, .grad = embedding_grad
};

tensor *op_embedding_sum(int count, const embedding_term *term)
{
    tensor *in[EMBEDDING_TERMS * EACH];
    CHECK(count >= 1 && count <= EMBEDDING_TERMS, "a sum of %d embeddings", count);
    for (int t = 0; t < count; ++t) {
        tensor *ids = term[t].ids;
        in[t * EACH + TABLE] = op_contiguous(term[t].table);
        in[t * EACH + IDS] =
            tensor_is_contiguous(ids) ? ids : op_contiguous(ids); /* they are read one by one */
    }
    return graph_node1(term->table->graph, &embedding, count * EACH, in, NULL, 0);
}

tensor *op_embedding(tensor *table, tensor *ids)
{
    return op_embedding_sum(1, &(embedding_term){ table, ids });
}

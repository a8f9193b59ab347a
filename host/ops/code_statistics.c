/* code_statistics.c -- counts[k] = how many ids are k, sums[k] = sum of z[r] over rows with ids[r] = k, in
 * the order of rows.  No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"
#include "host/ops/sort_ids.h"

typedef struct statistics_attributes {
    int64_t codes;
} statistics_attributes;

static bool code_statistics_infer(node *n)
{
    const statistics_attributes *a = n->attributes;
    if (!expect_type(n, 0, "ids", DTYPE_I32) || !expect_float(n, 1, "z")) return false;
    if (a->codes < 1 || n->in[1]->rank < 2 || tensor_rows(n->in[1]) != tensor_count(n->in[0]))
        return graph_fail(n->graph, "code_statistics: ids %s and z %s must have as many rows, for %lld codes",
                          tensor_shape_text(n->in[0]), tensor_shape_text(n->in[1]), (long long)a->codes);
    node_output(n, DTYPE_F32, 1, &a->codes);
    node_output(n, DTYPE_F32, 2, (int64_t[]){ a->codes, tensor_last(n->in[1]) });
    return true;
}

static int64_t code_statistics_workspace(const node *n, device *d, error *err)
{
    (void)d;
    (void)err;
    return sort_ids_bytes(tensor_count(n->in[0]), n->out[0]->dim[0]);
}

static bool code_statistics_bind(const node *n, binder *b)
{
    int64_t codes = n->out[0]->dim[0];
    if (!sort_ids_bind(n, b, n->in[0], codes)) return false;
    kernel_call c = call_begin(b, n, "code_statistics");
    call_tensor(&c, "COUNTS", n->out[0]);
    call_tensor(&c, "SUMS", n->out[1]);
    call_tensor(&c, "Z", n->in[1]);
    call_workspace(&c, "SCRATCH");
    call_int(&c, codes);
    call_int(&c, tensor_last(n->in[1]));
    return call_rows(&c, codes);
}

static const op_def code_statistics = { .name = "code_statistics",
                                        .infer = code_statistics_infer,
                                        .bind = code_statistics_bind,
                                        .workspace = code_statistics_workspace };

void op_code_statistics(tensor *ids, tensor *z, int64_t codes, tensor **counts, tensor **sums)
{
    statistics_attributes a = { codes };
    tensor *in[] = { op_contiguous(ids), op_contiguous(z) };
    node *n = graph_node(ids->graph, &code_statistics, 2, in, &a, sizeof a);
    *counts = n ? n->out[0] : graph_poison(ids->graph);
    *sums = n ? n->out[1] : graph_poison(ids->graph);
}

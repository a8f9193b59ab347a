/* sum_squares.c -- the sum of squares of several tensors, or how many elements are 0, in an order that the
 * sizes and the shape of kernels fix.  A node takes a running total and a few tensors; the builder chains
 * as many as needed.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

#define SUM_SQUARES_GROUPS  256  /* parts of one tensor, at most */
#define SUM_SQUARES_STRETCH 8192 /* elements of a part, at least */

typedef struct sum_squares_attributes {
    bool chained; /* the first input is the running total */
    bool zeros;   /* are counted */
} sum_squares_attributes;

static int64_t groups_of(const tensor *t)
{
    int64_t groups = (tensor_count(t) + SUM_SQUARES_STRETCH - 1) / SUM_SQUARES_STRETCH;
    return groups < SUM_SQUARES_GROUPS ? groups : SUM_SQUARES_GROUPS;
}

static int64_t groups_of_all(const node *n)
{
    const sum_squares_attributes *a = n->attributes;
    int64_t groups = 0;
    for (int i = a->chained; i < n->in_count; ++i) groups += groups_of(n->in[i]);
    return groups;
}

static bool sum_squares_infer(node *n)
{
    for (int i = 0; i < n->in_count; ++i)
        if (!expect_float(n, i, "a part")) return false;
    node_output(n, DTYPE_F32, 1, (int64_t[]){ 1 });
    return true;
}

static int64_t sum_squares_workspace(const node *n, device *d, error *err)
{
    (void)d;
    (void)err;
    return groups_of_all(n) * (int64_t)sizeof(float);
}

static bool sum_squares_bind(const node *n, binder *b)
{
    const sum_squares_attributes *a = n->attributes;
    int64_t place = 0;
    for (int i = a->chained; i < n->in_count; ++i) {
        int64_t count = tensor_count(n->in[i]), groups = groups_of(n->in[i]);
        int64_t stretch = (count + groups - 1) / groups;
        kernel_call c = call_begin_in(b, n, "ops/sum_squares", "sum_squares_parts");
        if (a->zeros) call_define(&c, "ZEROS=1");
        call_workspace(&c, "PARTS");
        call_tensor(&c, "X", n->in[i]);
        call_int(&c, place);
        call_int(&c, count);
        call_int(&c, (stretch + TENSOR_PAD - 1) / TENSOR_PAD * TENSOR_PAD);
        if (!call_rows(&c, groups)) return false;
        place += groups;
    }
    kernel_call c = call_begin_in(b, n, "ops/sum_squares", "sum_squares_total");
    call_define(&c, "CHAINED=%d", a->chained);
    call_tensor(&c, "Y", n->out[0]);
    call_workspace(&c, "PARTS");
    if (a->chained) call_tensor(&c, "BEFORE", n->in[0]);
    call_int(&c, place);
    return call_rows(&c, 1);
}

static const op_def sum_squares = { .name = "sum_squares",
                                    .infer = sum_squares_infer,
                                    .bind = sum_squares_bind,
                                    .workspace = sum_squares_workspace };

static const op_def count_zeros = { .name = "count_zeros",
                                    .infer = sum_squares_infer,
                                    .bind = sum_squares_bind,
                                    .workspace = sum_squares_workspace };

static tensor *build(const op_def *def, int count, tensor *const *parts, bool zeros)
{
    CHECK(count > 0, "%s of %d tensors", def->name, count);
    tensor *total = NULL;
    for (int done = 0; done < count;) {
        tensor *in[NODE_INPUTS_MAX];
        int used = 0;
        sum_squares_attributes a = { total != NULL, zeros };
        if (total) in[used++] = total;
        while (used < NODE_INPUTS_MAX && done < count) in[used++] = op_contiguous(parts[done++]);
        total = graph_node1(parts[0]->graph, def, used, in, &a, sizeof a);
    }
    return total;
}

tensor *op_sum_squares(int count, tensor *const *parts)
{
    return build(&sum_squares, count, parts, false);
}

tensor *op_count_zeros(int count, tensor *const *parts)
{
    return build(&count_zeros, count, parts, true);
}

/* nearest_code.c -- argmin over codes of |z - c|^2 = |z|^2 - 2 z.c + |c|^2; |z|^2 does not matter.
 * Ties go to the lowest index.  No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/ops/expect.h"
#include "host/ops/ops.h"

#define NEAREST_ROWS 16 /* rows of z a work-group owns; sets ROWS of the kernel */

static bool nearest_code_infer(node *n)
{
    const tensor *z = n->in[0], *codebook = n->in[1];
    if (!expect_float(n, 0, "z") || !expect_float(n, 1, "codebook")) return false;
    if (codebook->rank != 2 || z->rank < 1 || tensor_last(z) != codebook->dim[1])
        return graph_fail(n->graph, "nearest_code: z %s and codebook %s must agree in their last axis",
                          tensor_shape_text(z), tensor_shape_text(codebook));
    int64_t dim[TENSOR_RANK_MAX];
    int rank = shape_of_rows(z, dim);
    node_output(n, DTYPE_I32, rank, dim);
    return true;
}

static int64_t nearest_code_workspace(const node *n, device *d, error *err)
{
    (void)d;
    (void)err;
    return n->in[1]->dim[0] * (int64_t)sizeof(float);
}

static bool nearest_code_bind(const node *n, binder *b)
{
    const tensor *z = n->in[0], *codebook = n->in[1];
    kernel_call norms = call_begin(b, n, "nearest_code_norms");
    call_workspace(&norms, "NORMS");
    call_tensor(&norms, "CODEBOOK", codebook);
    call_int(&norms, codebook->dim[1]);
    if (!call_rows(&norms, codebook->dim[0])) return false;

    kernel_call c = call_begin(b, n, "nearest_code_search");
    call_define(&c, "ROWS=%d", NEAREST_ROWS);
    call_tensor(&c, "IDS", n->out[0]);
    call_tensor(&c, "Z", z);
    call_tensor(&c, "CODEBOOK", codebook);
    call_workspace(&c, "NORMS");
    call_int(&c, tensor_rows(z));
    call_int(&c, codebook->dim[0]);
    call_int(&c, codebook->dim[1]);
    return call_rows(&c, (tensor_rows(z) + NEAREST_ROWS - 1) / NEAREST_ROWS);
}

static double nearest_code_flops(const node *n)
{
    return 2.0 * (double)tensor_count(n->in[0]) * (double)n->in[1]->dim[0];
}

static const op_def nearest_code = { .name = "nearest_code",
                                     .infer = nearest_code_infer,
                                     .bind = nearest_code_bind,
                                     .workspace = nearest_code_workspace,
                                     .flops = nearest_code_flops };

tensor *op_nearest_code(tensor *z, tensor *codebook)
{
    tensor *in[] = { op_contiguous(z), op_contiguous(codebook) };
    return graph_node1(z->graph, &nearest_code, 2, in, NULL, 0);
}

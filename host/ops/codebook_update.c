/* codebook_update.c -- the EMA update of a codebook (A.1 of arXiv 1711.00937), in place:
 *   N = d N + (1 - d) counts;  M = d M + (1 - d) sums
 *   code = M / smoothed N, smoothed N = (N + 1e-5) / (sum N + 1e-5 K) * sum N
 * where some row came to the code.  One that none came to stays where it is: M and N fall alike, but
 * smoothing would draw it to zero, at once if none ever came (ours). A code whose N falls below `revive`
 * starts again: code = a random row of z, N = 10 revive, M = N code, so that it lives on only if rows come to
 * it at once.  The draw of code k is (seed, step, stream, k). flag[0] = 0: nothing changes.  No gradient.
 * SPDX-License-Identifier: MIT */
#include "host/base/philox.h"
#include "host/ops/expect.h"
#include "host/ops/ops.h"

typedef struct update_attributes {
    float decay, revive;
    bool named;
    uint32_t stream;
} update_attributes;

enum { CODEBOOK, USAGE, MEAN, COUNTS, SUMS, ROWS_OF_Z, RANDOM, FLAG };

static bool codebook_update_infer(node *n)
{
    update_attributes *a = n->attributes;
    if (!a->named) a->stream = philox_stream(n->name);
    a->named = true;
    const tensor *codebook = n->in[CODEBOOK], *z = n->in[ROWS_OF_Z];
    if (!expect_float(n, CODEBOOK, "codebook") || !expect_float(n, ROWS_OF_Z, "z")) return false;
    if (codebook->rank != 2 || z->rank < 2 || tensor_last(z) != codebook->dim[1])
        return graph_fail(n->graph, "codebook_update: codebook %s and z %s must agree in their last axis",
                          tensor_shape_text(codebook), tensor_shape_text(z));
    if (!(a->decay >= 0.0f && a->decay < 1.0f) || !(a->revive >= 0.0f))
        return graph_fail(n->graph, "codebook_update: decay %g must be in [0, 1) and revive %g at least 0",
                          (double)a->decay, (double)a->revive);
    int64_t codes = codebook->dim[0];
    if (!expect_control(n, USAGE, "usage", DTYPE_F32, codes) || !expect_type(n, MEAN, "mean", DTYPE_F32) ||
        !expect_like(n, MEAN, "mean", CODEBOOK, false) ||
        !expect_control(n, COUNTS, "counts", DTYPE_F32, codes) || !expect_type(n, SUMS, "sums", DTYPE_F32) ||
        !expect_like(n, SUMS, "sums", CODEBOOK, false) ||
        !expect_control(n, RANDOM, "random", DTYPE_I32, 4) || !expect_control(n, FLAG, "flag", DTYPE_I32, 1))
        return false;
    node_output_in_place(n, CODEBOOK);
    node_output_in_place(n, USAGE);
    node_output_in_place(n, MEAN);
    return true;
}

static int64_t codebook_update_workspace(const node *n, device *d, error *err)
{
    (void)d;
    (void)err;
    return (1 + n->in[CODEBOOK]->dim[0]) * (int64_t)sizeof(float);
}

static bool codebook_update_bind(const node *n, binder *b)
{
    const update_attributes *a = n->attributes;
    int64_t codes = n->in[CODEBOOK]->dim[0];
    float rest = (float)(1.0 - (double)a->decay);
    kernel_call usage = call_begin(b, n, "codebook_usage");
    call_tensor(&usage, "USAGE", n->out[1]);
    call_workspace(&usage, "SCRATCH");
    call_tensor(&usage, "COUNTS", n->in[COUNTS]);
    call_tensor(&usage, "FLAG", n->in[FLAG]);
    call_int(&usage, codes);
    call_float(&usage, a->decay);
    call_float(&usage, rest);
    call_float(&usage, a->revive);
    if (!call_rows(&usage, 1)) return false;

    kernel_call c = call_begin(b, n, "codebook_codes");
    call_tensor(&c, "CODEBOOK", n->out[0]);
    call_tensor(&c, "MEAN", n->out[2]);
    call_workspace(&c, "SCRATCH");
    call_tensor(&c, "COUNTS", n->in[COUNTS]);
    call_tensor(&c, "SUMS", n->in[SUMS]);
    call_tensor(&c, "Z", n->in[ROWS_OF_Z]);
    call_tensor(&c, "RANDOM", n->in[RANDOM]);
    call_tensor(&c, "FLAG", n->in[FLAG]);
    call_int(&c, tensor_rows(n->in[ROWS_OF_Z]));
    call_int(&c, codes);
    call_int(&c, n->in[CODEBOOK]->dim[1]);
    call_uint(&c, a->stream);
    call_float(&c, a->decay);
    call_float(&c, rest);
    call_float(&c, a->revive);
    return call_rows(&c, codes);
}

static const op_def codebook_update = { .name = "codebook_update",
                                        .infer = codebook_update_infer,
                                        .bind = codebook_update_bind,
                                        .workspace = codebook_update_workspace };

tensor *op_codebook_update(tensor *codebook, tensor *usage, tensor *mean, tensor *counts, tensor *sums,
                           tensor *z, tensor *random, tensor *flag, float decay, float revive)
{
    update_attributes a = { .decay = decay, .revive = revive };
    tensor *in[] = { codebook, usage, mean, counts, sums, op_contiguous(z), random, flag };
    return graph_node1(codebook->graph, &codebook_update, 8, in, &a, sizeof a);
}

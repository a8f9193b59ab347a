/* Fused attention against the composition matmul, mask, softmax, matmul at a length at which one wrong tile
 * would be a small share, forward and backward, at every kind of mask; and host/ops/cases/attention.c.
 * SPDX-License-Identifier: MIT */
#include "host/ops/mask.h"
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

enum { BATCH = 2, TEXT = 24, SIDE = 16, HEADS = 2, HEAD = 32, LENGTH = TEXT + SIDE * SIDE };
enum { VALUES = BATCH * LENGTH * HEADS * HEAD };

static tensor *swap_heads(tensor *x)
{
    return op_permute(x, (int[]){ 0, 2, 1, 3 });
}

static tensor *composed(tensor *const *x, const mask *m)
{
    tensor *scores = op_scale(op_matmul_nt(swap_heads(x[0]), swap_heads(x[1])), 0.2f);
    tensor *y = op_matmul(op_softmax(op_mask(scores, m, NULL)), swap_heads(x[2]));
    return op_contiguous(swap_heads(y));
}

/* got[0] is the result, got[1..3] the gradients of q, k and v. */
static void run_one(const mask *m, int64_t queries, bool fused, float *const *values, float *const *got)
{
    rig r = rig_open(0);
    tensor *x[3], *gradient[3];
    for (int i = 0; i < 3; ++i) {
        char name[2] = { "qkv"[i], 0 };
        parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, false };
        x[i] = graph_parameter(r.graph, name, spec, RIG_DIM(BATCH, i ? LENGTH : queries, HEADS, HEAD));
    }
    tensor *weights = rig_input(&r, "weights", DTYPE_F32, RIG_DIM(BATCH, queries, HEADS, HEAD));
    tensor *y = fused ? op_attention(x[0], x[1], x[2], m, 0.2f) : composed(x, m);
    graph_keep(y);
    graph_backward(r.graph, op_sum_all(op_mul(y, weights)));
    for (int i = 0; i < 3; ++i) graph_keep(gradient[i] = op_contiguous(graph_gradient(r.graph, x[i])));
    rig_compile(&r);
    for (int i = 0; i < 3; ++i) rig_write(x[i], values[i]);
    rig_write(weights, values[3]);
    rig_run(&r);
    rig_read(y, got[0]);
    for (int i = 0; i < 3; ++i) rig_read(gradient[i], got[i + 1]);
    rig_close(&r);
}

static int check_composition(mask_kind kind, int64_t queries)
{
    static float values[4][VALUES], fused[4][VALUES], composition[4][VALUES];
    static const char *const names[] = { "result", "gradient of q", "gradient of k", "gradient of v" };
    const mask m = { kind, TEXT, SIDE, 5, 0, NULL };
    for (int i = 0; i < 4; ++i) rig_fill(values[i], VALUES, (uint32_t)i + 1, -1, 1);
    float *in[] = { values[0], values[1], values[2], values[3] };
    run_one(&m, queries, true, in, (float *[]){ fused[0], fused[1], fused[2], fused[3] });
    run_one(&m, queries, false, in,
            (float *[]){ composition[0], composition[1], composition[2], composition[3] });
    int wrong = 0;
    for (int i = 0; i < 4; ++i) {
        double most = 0, off = 0;
        const int count = i <= 1 ? (int)(VALUES / LENGTH * queries) : VALUES;
        for (int j = 0; j < count; ++j) {
            most = fmax(most, fabs((double)composition[i][j]));
            off = fmax(off, fabs((double)fused[i][j] - (double)composition[i][j]));
        }
        if (off <= 1e-5 * most) continue;
        fprintf(stderr, "attention (%s, %lld queries): the %s differs from the composition's by %g of %g\n",
                mask_kind_name(kind), (long long)queries, names[i], off, most);
        ++wrong;
    }
    return wrong;
}

int main(void)
{
    int wrong = 0;
    for (int i = 0; i < 2 * MASK_KINDS && !getenv("DALLE_CL_TINY"); ++i)
        wrong += check_composition((mask_kind)(i / 2), i % 2 ? 101 : LENGTH);
    int status = op_check_tables(attention_tests);
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* test_linear_rows.c -- that a row of a decoding step's linear layer has the same bits however many there
 * are; and host/ops/cases/linear_rows.c.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

enum { BATCH = 6, INNER = 45, OUTER = 13 };

static void apply(int shape, int64_t batch, const float *x, const float *w, const float *gain, float *y)
{
    rig r = rig_open(shape);
    tensor *in = rig_input(&r, "x", DTYPE_F32, RIG_DIM(batch, 1, INNER));
    tensor *weight = rig_input(&r, "w", DTYPE_F32, RIG_DIM(OUTER, INNER));
    tensor *norm = rig_input(&r, "gain", DTYPE_F32, RIG_DIM(INNER));
    linear_rows_terms t = {
        .weight = { weight }, .gain = norm, .shift = norm, .epsilon = 1e-5f, .activation = ACTIVATION_GELU
    };
    tensor *out = op_linear_rows(in, &t);
    graph_keep(out);
    rig_compile(&r);
    rig_write(in, x);
    rig_write(weight, w);
    rig_write(norm, gain);
    rig_run(&r);
    rig_read(out, y);
    rig_close(&r);
}

/* With AVX-512 Intel's CPU compiler, which does 16 of a group's items at once, rounds the last bits of one
 * blocking of rows unlike another's; a CPU's own shapes have groups of one item. */
static bool rounds_alike(int shape)
{
    rig r = rig_open(shape);
    const device_info *info = device_get_info(r.device);
    bool alike =
        rig_shapes[shape][0] == 1 || info->kind != DEVICE_CPU || strcmp(info->vendor_word, "intel") != 0;
    rig_close(&r);
    return alike;
}

/* Rows alone, in pairs and all together: every blocking of rows that there is. */
static int check_batch(int shape)
{
    if (!rounds_alike(shape)) return 0;
    float x[BATCH * INNER], w[OUTER * INNER], gain[INNER], together[BATCH * OUTER], some[BATCH * OUTER];
    rig_fill(x, BATCH * INNER, 1, -1, 1);
    rig_fill(w, OUTER * INNER, 2, -1, 1);
    rig_fill(gain, INNER, 3, 0, 1);
    apply(shape, BATCH, x, w, gain, together);
    for (int many = 1; many <= 3; ++many) {
        int at = BATCH - many;
        apply(shape, many, x + at * INNER, w, gain, some);
        if (memcmp(some, together + at * OUTER, (size_t)(many * OUTER) * sizeof *some) == 0) continue;
        fprintf(stderr, "linear_rows: %d rows differ alone and in a batch of %d\n", many, BATCH);
        return 1;
    }
    return 0;
}

int main(void)
{
    int wrong = 0;
    for (int shape = 0; shape < RIG_SHAPES; ++shape) wrong += check_batch(shape);
    int status = op_check_tables(linear_rows_tests);
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Dropout against the host's draws, and their statistics.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

static uint32_t stream; /* of the node last built */

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = op_dropout(in[0], (float)c->reals[0], in[1]);
    if (out[0]->from) stream = philox_stream(out[0]->from->name);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    float probability = (float)c->reals[0];
    const double *random = in[1].v;
    philox p = { (uint32_t)random[0] | (uint64_t)(uint32_t)random[1] << 32, (uint32_t)random[2], stream };
    int64_t first = (int64_t)random[3] * (in[0].count / in[0].dim[0]);
    for (int64_t i = 0; i < out[0].count; ++i)
        if (philox_uniform(&p, (uint32_t)(first + i)) >= probability)
            out[0].v[i] = in[0].v[i] / (1.0 - c->reals[0]);
}

#define RANDOM \
    { \
        1, { 4 }, OP_INTEGER, 3, 3 \
    }

static const op_case cases[] = {
    { .name = "odd", .in = { { 3, { 3, 7, 11 } }, RANDOM }, .reals = { 0.25 } },
    { .name = "none", .in = { { 1, { 37 } }, RANDOM }, .reals = { 0.0 } },
    { .name = "most", .in = { { 2, { 5, 64 } }, RANDOM }, .reals = { 0.875 } },
    { .name = "all", .in = { { 2, { 5, 64 } }, RANDOM }, .reals = { 1.0 }, .fails = "not in [0, 1)" },
    { .name = "control",
      .in = { { 2, { 5, 64 } }, { 1, { 3 }, OP_INTEGER, 0, 1 } },
      .reals = { 0.5 },
      .fails = "random must be [4], not [3]" },
};

/* Kept counts in 200 blocks of 500 elements: chi-square against the binomial, 200 degrees of freedom;
 * outside 130..285 with a probability below 1e-4.  Two halves of a batch draw what the whole draws. */
static int check_statistics(void)
{
    enum { BLOCKS = 200, SIZE = 500, COUNT = BLOCKS * SIZE };
    int wrong = 0;
    rig r = rig_open(0);
    tensor *random = rig_input(&r, "random", DTYPE_I32, RIG_DIM(4));
    tensor *x = rig_input(&r, "x", DTYPE_F32, RIG_DIM(BLOCKS, SIZE));
    tensor *y = op_dropout(x, 0.3f, random);
    graph_keep(y);
    rig_compile(&r);
    float *v = malloc(COUNT * sizeof *v), *shifted = malloc(COUNT * sizeof *v);
    for (int i = 0; i < COUNT; ++i) v[i] = 1.0f;
    rig_write(x, v);
    rig_write(random, (int32_t[]){ 5, 0, 2, 0 });
    rig_run(&r);
    rig_read(y, v);
    rig_write(random, (int32_t[]){ 5, 0, 2, BLOCKS / 2 });
    rig_run(&r);
    rig_read(y, shifted);
    if (memcmp(v + COUNT / 2, shifted, COUNT / 2 * sizeof *v) != 0) {
        fprintf(stderr, "dropout: the second half of a batch draws differently on its own\n");
        ++wrong;
    }
    double chi = 0.0;
    for (int b = 0; b < BLOCKS; ++b) {
        double kept = 0.0;
        for (int i = 0; i < SIZE; ++i) kept += v[b * SIZE + i] != 0.0f;
        chi += (kept - 0.7 * SIZE) * (kept - 0.7 * SIZE) / (0.7 * 0.3 * SIZE);
    }
    if (chi < 130 || chi > 285) {
        fprintf(stderr, "dropout: chi-square of kept counts is %g, for 200 degrees of freedom\n", chi);
        ++wrong;
    }
    free(v);
    free(shifted);
    rig_close(&r);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
    int wrong = check_statistics();
    int status = op_check_main(&(op_test){ "dropout", build, reference, OP_CASES(cases) });
    return status ? status : wrong;
}

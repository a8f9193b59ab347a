/* Gumbel-softmax against the host's draws, and the distribution of its argmax, which is the softmax.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

static uint32_t stream; /* of the node last built */

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    out[0] = c->ints[0] ? op_gumbel_softmax_to(in[0], in[1], in[2], DTYPE_F16)
                        : op_gumbel_softmax(in[0], in[1], in[2]);
    if (out[0]->from) stream = philox_stream(out[0]->from->name);
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    (void)c;
    const double *random = in[2].v;
    philox p = { (uint32_t)random[0] | (uint64_t)(uint32_t)random[1] << 32, (uint32_t)random[2], stream };
    int64_t first = (int64_t)random[3] * (in[0].count / in[0].dim[0]), count = in[0].last;
    for (int64_t r = 0; r < in[0].count / count; ++r) {
        double *y = out[0].v + r * count, top = -1e300, sum = 0.0;
        for (int64_t i = 0; i < count; ++i) {
            double u = (double)philox_uniform(&p, (uint32_t)(first + r * count + i));
            y[i] = (in[0].v[r * count + i] - log(-log(u))) / in[1].v[0];
            top = fmax(top, y[i]);
        }
        for (int64_t i = 0; i < count; ++i) sum += y[i] = exp(y[i] - top);
        for (int64_t i = 0; i < count; ++i) y[i] /= sum;
    }
}

#define RANDOM \
    { \
        1, { 4 }, OP_INTEGER, 3, 3 \
    }

static const double warm[] = { 1 }, cool[] = { 0.25 };

static const op_case cases[] = {
    { .name = "odd", .in = { { 3, { 3, 5, 37 } }, { 1, { 1 }, OP_CONTROL, .values = warm }, RANDOM } },
    { .name = "cool",
      .in = { { 2, { 4, 16 } }, { 1, { 1 }, OP_CONTROL, .values = cool }, RANDOM },
      .tol = 3e-5 },
    { .name = "as f16",
      .in = { { 2, { 4, 37 } }, { 1, { 1 }, OP_CONTROL, .values = warm }, RANDOM },
      .ints = { 1 },
      .tol = 2e-3,
      .f32_only = true },
    { .name = "tau",
      .in = { { 2, { 4, 16 } }, { 1, { 2 }, OP_CONTROL }, RANDOM },
      .fails = "tau must be [1], not [2]" },
};

/* 20,000 rows over 8 classes: chi-square with 7 degrees of freedom, above 31 with a probability of 6e-5. */
static int check_distribution(void)
{
    enum { ROWS = 20000, CLASSES = 8 };
    rig r = rig_open(0);
    tensor *random = rig_input(&r, "random", DTYPE_I32, RIG_DIM(4)),
           *tau = rig_input(&r, "tau", DTYPE_F32, RIG_DIM(1));
    tensor *x = rig_input(&r, "x", DTYPE_F32, RIG_DIM(ROWS, CLASSES)), *y = op_gumbel_softmax(x, tau, random);
    graph_keep(y);
    rig_compile(&r);
    float *v = malloc(ROWS * CLASSES * sizeof *v);
    for (int i = 0; i < ROWS * CLASSES; ++i) v[i] = 0.4f * (float)(i % CLASSES);
    rig_write(x, v);
    rig_write(tau, &(float){ 0.5f });
    rig_write(random, (int32_t[]){ 1, 2, 3, 0 });
    rig_run(&r);
    rig_read(y, v);
    double counts[CLASSES] = { 0 }, whole = 0.0, chi = 0.0;
    for (int row = 0; row < ROWS; ++row) {
        int best = 0;
        for (int i = 1; i < CLASSES; ++i)
            if (v[row * CLASSES + i] > v[row * CLASSES + best]) best = i;
        counts[best] += 1.0;
    }
    for (int i = 0; i < CLASSES; ++i) whole += exp(0.4 * i);
    for (int i = 0; i < CLASSES; ++i) {
        double expected = ROWS * exp(0.4 * i) / whole;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    if (chi > 31)
        fprintf(stderr, "gumbel_softmax: chi-square of the argmax is %g, for 7 degrees of freedom\n", chi);
    free(v);
    rig_close(&r);
    return chi > 31 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
    int wrong = check_distribution();
    int status = op_check_main(&(op_test){ "gumbel_softmax", build, reference, OP_CASES(cases) });
    return status ? status : wrong;
}

/* test_linear_rows.c -- a decoding step's linear layer against a naive one, with all that can stand around it; and
 * that a row has the same bits however many there are.
 * ints[0]: what there is; ints[1]: the activation; inputs are x, then those in the order of the bits, weights
 * first.
 * SPDX-License-Identifier: MIT */
#include "tests/ops/rig.h"
#include "tests/support/op_check.h"

enum { PARTS3 = 1, BIASED = 2, NORM = 4, RESIDUAL = 8 };
#define EPSILON 1e-5

static int parts_of(const op_case *c)
{
    return c->ints[0] & PARTS3 ? 3 : 1;
}

static void build(graph *g, const op_case *c, tensor *const *in, tensor **out)
{
    (void)g;
    int at = 1;
    linear_rows_terms t = { .epsilon = (float)EPSILON, .activation = (activation)c->ints[1] };
    for (int p = 0; p < parts_of(c); ++p) t.weight[p] = in[at++];
    for (int p = 0; p < parts_of(c) && c->ints[0] & BIASED; ++p) t.bias[p] = in[at++];
    if (c->ints[0] & NORM) {
        t.gain = in[at++];
        t.shift = in[at++];
    }
    if (c->ints[0] & RESIDUAL) t.residual = in[at];
    out[0] = op_linear_rows(in[0], &t);
}

static void normalise(const double *x, int64_t k, const double *gain, const double *shift, double *out)
{
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < k; ++i) mean += x[i] / (double)k;
    for (int64_t i = 0; i < k; ++i) variance += (x[i] - mean) * (x[i] - mean) / (double)k;
    for (int64_t i = 0; i < k; ++i) out[i] = (x[i] - mean) / sqrt(variance + EPSILON) * gain[i] + shift[i];
}

static void reference(const op_case *c, const op_array *in, op_array *out)
{
    const int64_t n = in[1].dim[0], k = in[1].dim[1], rows = in[0].rows, flags = c->ints[0];
    const int parts = parts_of(c), after = 1 + parts + (flags & BIASED ? parts : 0);
    const op_array *residual = &in[after + (flags & NORM ? 2 : 0)];
    double seen[128];
    for (int64_t r = 0; r < rows; ++r) {
        const double *x = in[0].v + r * k;
        if (flags & NORM) {
            normalise(x, k, in[after].v, in[after + 1].v, seen);
            x = seen;
        }
        for (int p = 0; p < parts; ++p)
            for (int64_t j = 0; j < n; ++j) {
                double z = flags & BIASED ? in[1 + parts + p].v[j] : 0;
                for (int64_t i = 0; i < k; ++i) z += x[i] * in[1 + p].v[j * k + i];
                z = activation_value((activation)c->ints[1], z);
                if (flags & RESIDUAL) z += residual->v[r * n + j];
                out[0].v[(p * rows + r) * n + j] = z;
            }
    }
}

#define IN(r, ...) \
    { \
        .rank = r, .dim = { __VA_ARGS__ }, .role = OP_FIXED \
    }
static const op_case cases[] = {
    { .name = "one row", .in = { IN(2, 1, 16), IN(2, 8, 16) }, .ints = { 0 } },
    { .name = "odd sizes", .in = { IN(3, 5, 1, 37), IN(2, 19, 37), IN(1, 19) }, .ints = { BIASED } },
    { .name = "norm",
      .in = { IN(3, 2, 1, 37), IN(2, 7, 37), IN(1, 7), IN(1, 37), IN(1, 37) },
      .ints = { BIASED | NORM },
      .tol = 2e-5,
      .tol16 = 2 },
    { .name = "norm, GELU, residual",
      .in = { IN(3, 3, 1, 33), IN(2, 6, 33), IN(1, 33), IN(1, 33), IN(3, 3, 1, 6) },
      .ints = { NORM | RESIDUAL, ACTIVATION_GELU },
      .tol = 2e-5,
      .tol16 = 2 },
    { .name = "ReLU", .in = { IN(3, 3, 1, 33), IN(2, 6, 33) }, .ints = { 0, ACTIVATION_RELU } },
    { .name = "QuickGELU", .in = { IN(3, 3, 1, 33), IN(2, 6, 33) }, .ints = { 0, ACTIVATION_QUICK_GELU } },
    { .name = "residual",
      .in = { IN(3, 1, 1, 24), IN(2, 24, 24), IN(1, 24), IN(3, 1, 1, 24) },
      .ints = { BIASED | RESIDUAL } },
    { .name = "queries, keys, values",
      .in = { IN(3, 4, 1, 20), IN(2, 9, 20), IN(2, 9, 20), IN(2, 9, 20), IN(1, 9), IN(1, 9), IN(1, 9),
              IN(1, 20), IN(1, 20) },
      .in_count = 9,
      .ints = { PARTS3 | BIASED | NORM },
      .tol = 2e-5,
      .tol16 = 2 },
    { .name = "three weights alone",
      .in = { IN(2, 1, 12), IN(2, 5, 12), IN(2, 5, 12), IN(2, 5, 12) },
      .ints = { PARTS3 } },
    { .name = "weight",
      .in = { IN(2, 1, 13), IN(2, 13, 7) },
      .fails = "input [1,13] does not fit weight [13,7]" },
    { .name = "second weight",
      .in = { IN(2, 1, 13), IN(2, 7, 13), IN(2, 8, 13), IN(2, 7, 13) },
      .ints = { PARTS3 },
      .fails = "weight" },
    { .name = "gain",
      .in = { IN(2, 1, 13), IN(2, 7, 13), IN(1, 12), IN(1, 13) },
      .ints = { NORM },
      .fails = "gain F32 [12]" },
    { .name = "residual's shape",
      .in = { IN(2, 1, 13), IN(2, 7, 13), IN(2, 1, 13) },
      .ints = { RESIDUAL },
      .fails = "residual [1,13]" },
};

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

/* With AVX-512 Intel's CPU compiler, which does 16 of a group's items at once, rounds the last bits of one blocking of rows
 * unlike another's; a CPU's own shapes have groups of one item. */
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
    int status = op_check_main(&(op_test){ "linear_rows", build, reference, OP_CASES(cases) });
    return status ? status : wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

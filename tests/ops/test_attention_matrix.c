/* Attention's forward pass by every GPU's matrix unit, played by the device at hand (cl/matrix.clh), against
 * the kernel without one: the result, and gradients, which need each query's sum.  At every kind of mask,
 * with queries of their own number and counts of valid keys; operands are the same 16-bit numbers.  On CPUs,
 * whose drivers take seconds for each, and tiny: every example once, and every unit; on llvmpipe three.
 * SPDX-License-Identifier: MIT */
#include "host/ops/attention_matrix.h"
#include "tests/ops/rig.h"

enum { VALUES = 2 * 105 * 2 * 32, RESULTS = 4 };

typedef struct example {
    const char *name;
    mask pattern;
    int64_t batch, queries, keys, heads, head;
    int32_t valid[2];
    bool counted; /* valid keys are */
} example;

static const example EXAMPLES[] = {
    { "causal", { MASK_CAUSAL, 5, 4, 3 }, 2, 21, 21, 2, 32 },
    { "row", { MASK_ROW, 24, 9, 3 }, 1, 105, 105, 1, 32 },
    { "column", { MASK_COLUMN, 24, 9, 3 }, 1, 105, 105, 1, 32 },
    { "conv", { MASK_CONV, 24, 9, 5 }, 1, 105, 105, 1, 32 },
    { "last queries, column", { MASK_COLUMN, 24, 9, 3 }, 1, 19, 90, 2, 32 },
    { "all keys", { MASK_BIDIRECTIONAL, 0, 0, 0 }, 1, 70, 45, 1, 32 },
    { "valid keys", { MASK_BIDIRECTIONAL, 40, 0, 0 }, 2, 17, 40, 1, 16, { 33, 0 }, true },
    { "valid text", { MASK_CAUSAL, 37, 4, 3 }, 2, 50, 50, 1, 16, { 5, 37 }, true },
};
enum { EXAMPLE_COUNT = sizeof EXAMPLES / sizeof *EXAMPLES };

static const char *const RESULT_NAMES[RESULTS] = { "result", "gradient of q", "gradient of k",
                                                   "gradient of v" };

static int64_t count_of(const example *e, int operand)
{
    const bool of_queries = operand == 0 || operand == 3; /* 3: the weights of the result */
    return e->batch * (of_queries ? e->queries : e->keys) * e->heads * e->head;
}

/* got: the result and the gradients of q, k and v. */
static void run_one(const example *e, dtype type, device_matrix unit, float *const *values, float *const *got)
{
    rig r = rig_open(0);
    tensor *x[3], *operand[3], *gradient[3];
    mask m = e->pattern;
    for (int i = 0; i < 3; ++i) {
        char name[2] = { "qkv"[i], 0 };
        parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_NORMAL, 1.0f, false };
        x[i] = graph_parameter(r.graph, name, spec,
                               RIG_DIM(e->batch, i ? e->keys : e->queries, e->heads, e->head));
        operand[i] = op_cast(x[i], type);
    }
    tensor *weights = rig_input(&r, "weights", DTYPE_F32, RIG_DIM(e->batch, e->queries, e->heads, e->head));
    if (e->counted) m.valid = rig_input(&r, "valid", DTYPE_I32, RIG_DIM(e->batch));
    tensor *y =
        op_cast(attention_matrix_played(operand[0], operand[1], operand[2], &m, 0.8f, unit), DTYPE_F32);
    graph_keep(y);
    graph_backward(r.graph, op_sum_all(op_mul(y, weights)));
    for (int i = 0; i < 3; ++i) graph_keep(gradient[i] = op_contiguous(graph_gradient(r.graph, x[i])));
    rig_compile(&r);
    for (int i = 0; i < 3; ++i) rig_write(x[i], values[i]);
    rig_write(weights, values[3]);
    if (e->counted) rig_write(m.valid, e->valid);
    rig_run(&r);
    rig_read(y, got[0]);
    for (int i = 0; i < 3; ++i) rig_read(gradient[i], got[i + 1]);
    rig_close(&r);
}

/* Weights of the second product are rounded to 16 bits, to 11 or 8 places. */
static int compare(const example *e, dtype type, device_matrix unit, float *const *got, float *const *want)
{
    const double bound = type == DTYPE_F16 ? 0.002 : 0.016;
    int wrong = 0;
    for (int i = 0; i < RESULTS; ++i) {
        double most = 0, off = 0;
        const int64_t count = count_of(e, i ? i - 1 : 0);
        for (int64_t j = 0; j < count; ++j) {
            most = fmax(most, fabs((double)want[i][j]));
            off = isnan(got[i][j]) ? INFINITY : fmax(off, fabs((double)got[i][j] - (double)want[i][j]));
        }
        if (off <= bound * most) continue;
        fprintf(stderr, "attention (%s, %s, unit %s): the %s is off by %g of %g\n", e->name, dtype_name(type),
                device_matrix_name(unit), RESULT_NAMES[i], off, most);
        ++wrong;
    }
    return wrong;
}

int main(void)
{
    static float values[4][VALUES], own[RESULTS][VALUES], played[RESULTS][VALUES];
    float *in[4], *got[RESULTS], *want[RESULTS];
    device *d = device_or_skip();
    /* llvmpipe runs groups of 32 work-items with so much local memory. */
    const bool small = strcmp(device_get_info(d)->vendor_word, "mesa") == 0;
    const bool tiny = getenv("DALLE_CL_TINY") != NULL || device_get_info(d)->kind == DEVICE_CPU;
    device_close(d);
    for (int i = 0; i < 4; ++i) {
        rig_fill(in[i] = values[i], VALUES, (uint32_t)i + 1, -1, 1);
        got[i] = played[i];
        want[i] = own[i];
    }
    int wrong = 0;
    for (int i = 0; i < (small ? 4 : EXAMPLE_COUNT); ++i)
        for (int t = 0; t < 2; ++t) {
            const dtype type = t ? DTYPE_BF16 : DTYPE_F16;
            run_one(&EXAMPLES[i], type, DEVICE_MATRIX_NONE, in, want);
            for (device_matrix unit = DEVICE_MATRIX_NVIDIA; unit < DEVICE_MATRIX_COUNT; ++unit) {
                if (small && unit == DEVICE_MATRIX_MFMA) continue;
                if (tiny && (t != i % 2 || i % (DEVICE_MATRIX_COUNT - 1) != (int)unit - 1)) continue;
                run_one(&EXAMPLES[i], type, unit, in, got);
                wrong += compare(&EXAMPLES[i], type, unit, got, want);
            }
        }
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

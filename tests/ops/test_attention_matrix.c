/* Attention's result and its gradients by every GPU's matrix unit, played by the device at hand
 * (cl/matrix.clh), against sums in double precision of the same 16-bit numbers.  At every kind of mask, with
 * queries of their own number and counts of valid keys.  On CPUs, whose drivers take seconds for each, and
 * tiny: every example once, and every unit; on llvmpipe four.
 * SPDX-License-Identifier: MIT */
#include "host/ops/attention_matrix.h"
#include "tests/ops/rig.h"

enum { VALUES = 2 * 105 * 2 * 32, RESULTS = 4 };
#define SCALE 0.8

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

/* ---- In double precision ---- */

static bool sees(const example *e, int64_t b, int64_t query, int64_t key)
{
    if (e->counted && key < e->pattern.text && key >= e->valid[b]) return false;
    return e->pattern.kind == MASK_BIDIRECTIONAL ||
           mask_visible(&e->pattern, (int32_t)(e->keys - e->queries + query), (int32_t)key);
}

static double dot(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t d = 0; d < count; ++d) sum += (double)a[d] * (double)b[d];
    return sum;
}

static void add(float *to, double factor, const float *row, int64_t count)
{
    for (int64_t d = 0; d < count; ++d) to[d] += (float)(factor * (double)row[d]);
}

/* One query's part of the result and of the gradients, from operands q, k, v and dy. */
static void add_query(const example *e, int64_t b, int64_t h, int64_t t, float *const *in, float *const *out)
{
    double weight[128], slope[128], sum = 0, delta = 0;
    const int64_t own = ((b * e->queries + t) * e->heads + h) * e->head, step = e->heads * e->head;
    const int64_t keys = (b * e->keys * e->heads + h) * e->head;
    for (int64_t s = 0; s < e->keys; ++s) {
        weight[s] = sees(e, b, t, s) ? exp(SCALE * dot(in[0] + own, in[1] + keys + s * step, e->head)) : 0;
        slope[s] = dot(in[3] + own, in[2] + keys + s * step, e->head);
        sum += weight[s];
    }
    for (int64_t s = 0; s < e->keys && sum > 0; ++s) delta += (weight[s] /= sum) * slope[s];
    for (int64_t s = 0; s < e->keys; ++s) {
        const int64_t key = keys + s * step;
        const double score = SCALE * weight[s] * (slope[s] - delta);
        add(out[0] + own, weight[s], in[2] + key, e->head);
        add(out[1] + own, score, in[1] + key, e->head);
        add(out[2] + key, score, in[0] + own, e->head);
        add(out[3] + key, weight[s], in[3] + own, e->head);
    }
}

/* want: the result and the gradients of q, k and v, from values rounded to that type. */
static void reference(const example *e, dtype type, float *const *values, float *const *want)
{
    static float rounded[4][VALUES];
    uint16_t bits;
    for (int i = 0; i < 4; ++i)
        for (int64_t j = 0; j < count_of(e, i); ++j) {
            dtype_store(type, &bits, 0, values[i][j]);
            rounded[i][j] = dtype_load(type, &bits, 0);
        }
    for (int i = 0; i < RESULTS; ++i) memset(want[i], 0, sizeof(float) * VALUES);
    for (int64_t b = 0; b < e->batch; ++b)
        for (int64_t h = 0; h < e->heads; ++h)
            for (int64_t t = 0; t < e->queries; ++t)
                add_query(e, b, h, t, (float *[]){ rounded[0], rounded[1], rounded[2], rounded[3] }, want);
}

/* ---- By a unit ---- */

/* The gradients are the unit's, too: otherwise they would be compared for nothing. */
static void must_be_played(const rig *r, const tensor *operand)
{
    const node *n = graph_gradient(r->graph, (tensor *)operand)->from;
    if (n && strcmp(n->def->name, "attention_backward") == 0 && attention_matrix_takes_gradient(n, r->device))
        return;
    fprintf(stderr, "attention: the gradient is of '%s', and not by a unit\n", n ? n->def->name : "nothing");
    exit(EXIT_FAILURE);
}

/* got: the result and, if so many are wanted, the gradients of q, k and v. */
static void run_one(const example *e, dtype type, device_matrix unit, int results, float *const *values,
                    float *const *got)
{
    rig r = rig_open(0);
    tensor *x[3], *operand[3], *result[RESULTS];
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
    result[0] = op_cast(attention_matrix_played(operand[0], operand[1], operand[2], &m, (float)SCALE, unit),
                        DTYPE_F32);
    if (results > 1) graph_backward(r.graph, op_sum_all(op_mul(result[0], weights)));
    for (int i = 1; i < results; ++i) {
        must_be_played(&r, operand[i - 1]);
        result[i] = op_contiguous(graph_gradient(r.graph, x[i - 1]));
    }
    for (int i = 0; i < results; ++i) graph_keep(result[i]);
    rig_compile(&r);
    for (int i = 0; i < 3; ++i) rig_write(x[i], values[i]);
    if (results > 1) rig_write(weights, values[3]);
    if (e->counted) rig_write(m.valid, e->valid);
    rig_run(&r);
    for (int i = 0; i < results; ++i) rig_read(result[i], got[i]);
    rig_close(&r);
}

/* Rounded to 16 bits, to 11 or 8 places, are the result, with it dy . y, weights, slopes and gradients: four
 * errors of half a last place at most, of numbers no greater than the greatest. */
static int compare(const example *e, dtype type, device_matrix unit, int results, float *const *got,
                   float *const *want)
{
    const double bound = 4 * (type == DTYPE_F16 ? 0x1p-11 : 0x1p-8);
    int wrong = 0;
    for (int i = 0; i < results; ++i) {
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
    /* llvmpipe runs groups of 32 work-items with so much local memory: gradients are by the two units of
     * Intel's alone. */
    const bool small = strcmp(device_get_info(d)->vendor_word, "mesa") == 0;
    const bool tiny = getenv("DALLE_CL_TINY") != NULL || device_get_info(d)->kind == DEVICE_CPU;
    device_close(d);
    for (int i = 0; i < 4; ++i) {
        rig_fill(in[i] = values[i], VALUES, (uint32_t)i + 1, -1, 1);
        got[i] = played[i];
        want[i] = own[i];
    }
    int wrong = 0;
    for (int i = 0; i < (small ? 5 : EXAMPLE_COUNT); ++i)
        for (int t = 0; t < 2; ++t) {
            const dtype type = t ? DTYPE_BF16 : DTYPE_F16;
            reference(&EXAMPLES[i], type, in, want);
            for (device_matrix unit = DEVICE_MATRIX_NVIDIA; unit < DEVICE_MATRIX_COUNT; ++unit) {
                if (small && unit == DEVICE_MATRIX_MFMA) continue;
                if (tiny && (t != i % 2 || i % (DEVICE_MATRIX_COUNT - 1) != (int)unit - 1)) continue;
                const int results = small && unit < DEVICE_MATRIX_DPAS_8 ? 1 : RESULTS;
                run_one(&EXAMPLES[i], type, unit, results, in, got);
                wrong += compare(&EXAMPLES[i], type, unit, results, got, want);
            }
        }
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* bench_op.c -- attention, row-wise operators and linear layers of few rows as cases of `dalle-cl bench`.
 * Attention's gradient is timed with its forward pass ("train"); only the forward values are compared.
 * SPDX-License-Identifier: MIT */
#include "app/cli/bench.h"

#include "host/base/philox.h"
#include "host/graph/graph.h"
#include "host/ops/mask.h"
#include "host/ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 97, INPUTS = 3 };

typedef struct row_op {
    const char *name;
    tensor *(*build)(tensor *x, tensor *vector);
    /* Element `column` of the result for row x of `columns`. */
    double (*reference)(const float *x, const float *vector, int64_t columns, int64_t column);
    int passes; /* tensors of x's size read and written */
} row_op;

typedef struct op_bench {
    device *device;
    store *store;
    graph *graph;
    const row_op *op; /* or attention: */
    mask pattern;
    int64_t batch, heads, head, rows, columns, out; /* out: of linear_rows, else 0 */
    dtype weights;                                  /* storage of linear_rows' */
    tensor *in[INPUTS], *y;
    float *values[INPUTS], *got;
} op_bench;

/* ---- Row-wise operators ---- */

static tensor *build_gelu(tensor *x, tensor *v)
{
    (void)v;
    return op_gelu(x);
}
static double reference_gelu(const float *x, const float *v, int64_t columns, int64_t at)
{
    (void)v;
    (void)columns;
    return 0.5 * (double)x[at] * erfc(-(double)x[at] / sqrt(2.0));
}

static tensor *build_softmax(tensor *x, tensor *v)
{
    (void)v;
    return op_softmax(x);
}
static double reference_softmax(const float *x, const float *v, int64_t columns, int64_t at)
{
    (void)v;
    double total = 0;
    for (int64_t i = 0; i < columns; ++i) total += exp((double)x[i]);
    return exp((double)x[at]) / total;
}

static tensor *build_norm(tensor *x, tensor *v)
{
    return op_layer_norm(x, v, v, 1e-5f);
}
static double reference_norm(const float *x, const float *v, int64_t columns, int64_t at)
{
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < columns; ++i) mean += (double)x[i] / (double)columns;
    for (int64_t i = 0; i < columns; ++i)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)columns;
    return ((double)x[at] - mean) / sqrt(variance + 1e-5) * (double)v[at] + (double)v[at];
}

static tensor *build_add(tensor *x, tensor *v)
{
    return op_add(x, v);
}
static double reference_add(const float *x, const float *v, int64_t columns, int64_t at)
{
    (void)columns;
    return (double)x[at] + (double)v[at];
}

static const row_op row_ops[] = {
    { "gelu", build_gelu, reference_gelu, 2 },
    { "softmax", build_softmax, reference_softmax, 2 },
    { "layer_norm", build_norm, reference_norm, 2 },
    { "add", build_add, reference_add, 2 },
};

/* ---- Names ---- */

static bool parse_rows(op_bench *b, const char *name)
{
    char op[16], rest;
    long long rows, columns;
    if (sscanf(name, "op:%15[a-z_]:%lldx%lld%c", op, &rows, &columns, &rest) != 3 || rows < 1 ||
        columns < 1 || rows > 1 << 24 || columns > 1 << 20)
        return false;
    for (size_t i = 0; i < sizeof row_ops / sizeof *row_ops; ++i)
        if (strcmp(row_ops[i].name, op) == 0) b->op = &row_ops[i];
    b->rows = rows;
    b->columns = columns;
    return b->op != NULL;
}

static bool parse_attention(op_bench *b, const char *name, bool *train)
{
    char form[8], kind[16], rest;
    int batch, text, side, heads, head;
    if (sscanf(name, "attention:%7[a-z]:%15[a-z]:%dx%d+%d^2,h%d,d%d%c", form, kind, &batch, &text, &side,
               &heads, &head, &rest) != 7 ||
        batch < 1 || text < 0 || side < 1 || heads < 1 || head < 1 || batch > 4096 || text > 65536 ||
        side > 256 || heads > 1024 || head > 1024)
        return false;
    *train = strcmp(form, "train") == 0;
    if (!*train && strcmp(form, "forward") != 0) return false;
    int found = -1;
    for (int k = 0; k < MASK_KINDS; ++k)
        if (strcmp(mask_kind_name((mask_kind)k), kind) == 0) found = k;
    if (found < 0) return false;
    b->pattern = (mask){ (mask_kind)found, text, side, 11, 0, NULL };
    b->batch = batch;
    b->heads = heads;
    b->head = head;
    b->rows = text + (int64_t)side * side;
    return true;
}

static bool parse_linear(op_bench *b, const char *name)
{
    char rest;
    long long m, n, k;
    if (sscanf(name, "rows:%lldx%lldx%lld%c", &m, &n, &k, &rest) != 3 || m < 1 || n < 1 || k < 1 ||
        m > 4096 || n > 1 << 20 || k > 1 << 16)
        return false;
    b->rows = m;
    b->out = n;
    b->columns = k;
    return true;
}

/* ---- Making, running, checking ---- */

static void close_op(void *self)
{
    op_bench *b = self;
    if (!b) return;
    graph_destroy(b->graph);
    store_destroy(b->store);
    for (int i = 0; i < INPUTS; ++i) free(b->values[i]);
    free(b->got);
    free(b);
}

static bool run_op(void *self, error *err)
{
    op_bench *b = self;
    return graph_run(b->graph, err) && device_finish(b->device, err);
}

static bool fill(op_bench *b, int i, error *err)
{
    int64_t count = tensor_count(b->in[i]);
    philox p = { .seed = 1, .stream = (uint32_t)i };
    if (!(b->values[i] = malloc((size_t)count * sizeof(float))))
        return error_set(err, ERROR_MEMORY, "out of memory for %lld values", (long long)count);
    for (int64_t k = 0; k < count; ++k) b->values[i][k] = 4.0f * philox_uniform(&p, (uint32_t)k) - 2.0f;
    const store_entry *e = graph_entry_of(b->in[i]);
    if (b->in[i]->type != DTYPE_F32) {
        void *stored = malloc((size_t)count * dtype_bytes(b->in[i]->type));
        if (!stored) return error_set(err, ERROR_MEMORY, "out of memory for %lld values", (long long)count);
        dtype_convert(b->in[i]->type, stored, DTYPE_F32, b->values[i], count);
        dtype_convert(DTYPE_F32, b->values[i], b->in[i]->type, stored, count);
        bool ok = graph_write(b->in[i], stored, err);
        free(stored);
        return ok;
    }
    return e ? store_write(b->store, store_find(b->store, e->name), b->values[i], err)
             : graph_write(b->in[i], b->values[i], err);
}

static void build_attention(op_bench *b, bool train)
{
    static const char *const names[] = { "q", "k", "v" };
    const int64_t dim[] = { b->batch, b->rows, b->heads, b->head };
    const parameter_spec spec = { STORE_PARAMETER, DTYPE_F32, STORE_ZEROS, 0.0f, false };
    for (int i = 0; i < 3; ++i)
        b->in[i] = train ? graph_parameter(b->graph, names[i], spec, 4, dim)
                         : graph_input(b->graph, names[i], DTYPE_F32, 4, dim);
    b->y = op_attention(b->in[0], b->in[1], b->in[2], &b->pattern, 1.0f / sqrtf((float)b->head));
    graph_keep(b->y);
    if (!train) return;
    graph_backward(b->graph, op_mean_all(op_mul(b->y, b->y)));
    for (int i = 0; i < 3; ++i) graph_keep(graph_gradient(b->graph, b->in[i]));
}

static void build_linear(op_bench *b)
{
    b->in[0] = graph_input(b->graph, "x", DTYPE_F32, 2, (int64_t[]){ b->rows, b->columns });
    b->in[1] = graph_input(b->graph, "weight", b->weights, 2, (int64_t[]){ b->out, b->columns });
    linear_rows_terms terms = { .weight = { b->in[1] } };
    b->y = op_linear_rows(b->in[0], &terms);
    graph_keep(b->y);
}

static bool prepare(op_bench *b, bool train, error *err)
{
    if (!(b->store = store_create(b->device, err)) || !(b->graph = graph_create(b->store, err))) return false;
    int inputs = 3;
    if (b->out) {
        inputs = 2;
        build_linear(b);
    } else if (b->op) {
        inputs = 2;
        b->in[0] = graph_input(b->graph, "x", DTYPE_F32, 2, (int64_t[]){ b->rows, b->columns });
        b->in[1] = graph_input(b->graph, "vector", DTYPE_F32, 1, (int64_t[]){ b->columns });
        b->y = b->op->build(b->in[0], b->in[1]);
        graph_keep(b->y);
    } else {
        build_attention(b, train);
    }
    if (!graph_compile(b->graph, 1, "the sizes", err)) return false;
    for (int i = 0; i < inputs; ++i)
        if (!fill(b, i, err)) return false;
    if (!(b->got = malloc((size_t)tensor_count(b->y) * sizeof(float))))
        return error_set(err, ERROR_MEMORY, "out of memory for the results");
    return run_op(b, err) && graph_read(b->y, b->got, err);
}

/* Element d of query t of one batch and head. */
static double reference_attention(const op_bench *b, int64_t batch, int64_t t, int64_t h, int64_t d)
{
    const int64_t step = b->heads * b->head, base = batch * b->rows * step + h * b->head;
    const float *q = b->values[0] + base + t * step, *k = b->values[1] + base, *v = b->values[2] + base;
    double total = 0, sum = 0;
    for (int64_t s = 0; s < b->rows; ++s) {
        if (!mask_visible(&b->pattern, (int32_t)t, (int32_t)s)) continue;
        double dot = 0;
        for (int64_t i = 0; i < b->head; ++i) dot += (double)q[i] * (double)k[s * step + i];
        double weight = exp(dot / sqrt((double)b->head));
        total += weight;
        sum += weight * (double)v[s * step + d];
    }
    return sum / total;
}

static double largest_error(const op_bench *b)
{
    philox draw = { .seed = 2, .stream = 3 };
    double largest = 0, difference = 0;
    for (uint32_t i = 0; i < PLACES; ++i) {
        int64_t at = philox_below(&draw, i, (uint32_t)tensor_count(b->y));
        double want;
        if (b->out) {
            const float *x = b->values[0] + at / b->out * b->columns,
                        *w = b->values[1] + at % b->out * b->columns;
            want = 0;
            for (int64_t k = 0; k < b->columns; ++k) want += (double)x[k] * (double)w[k];
        } else if (b->op) {
            int64_t row = at / b->columns;
            want =
                b->op->reference(b->values[0] + row * b->columns, b->values[1], b->columns, at % b->columns);
        } else {
            int64_t d = at % b->head, h = at / b->head % b->heads, t = at / b->head / b->heads;
            want = reference_attention(b, t / b->rows, t % b->rows, h, d);
        }
        if (!isfinite(b->got[at])) return INFINITY;
        largest = fmax(largest, fabs(want));
        difference = fmax(difference, fabs((double)b->got[at] - want));
    }
    return largest > 0 ? difference / largest : difference;
}

bool bench_open_op(bench_case *c, const char *name, const bench_options *o, error *err)
{
    op_bench *b = calloc(1, sizeof *b);
    bool train = false;
    if (!b) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    b->device = o->device;
    b->weights = o->type;
    if (!parse_rows(b, name) && !parse_linear(b, name) && !parse_attention(b, name, &train)) {
        free(b);
        return error_set(
            err, ERROR_USAGE,
            "bench: '%s' is none of op:gelu|softmax|layer_norm|add:ROWSxCOLUMNS, rows:MxNxK, "
            "attention:forward|train:causal|row|column|conv|bidirectional:BxTEXT+SIDE^2,hHEADS,dSIZE",
            name);
    }
    double wrong = 0, flops = 0;
    bool ok = prepare(b, train, err);
    if (ok && !((wrong = largest_error(b)) <= 1e-4))
        ok = error_set(err, ERROR_DEVICE, "%s: wrong by %.2g of the largest value (1e-4 is allowed) on %s",
                       name, wrong, device_get_info(b->device)->name);
    if (!ok) {
        close_op(b);
        return false;
    }
    for (int i = 0; i < graph_node_count(b->graph); ++i)
        if (graph_node_at(b->graph, i)->live) flops += op_flops(graph_node_at(b->graph, i));
    *c = (bench_case){ .self = b,
                       .run = run_op,
                       .close = close_op,
                       .flops = flops,
                       .bytes = b->out  ? (double)dtype_bytes(b->weights) * (double)(b->out * b->columns)
                                : b->op ? 4.0 * b->op->passes * (double)(b->rows * b->columns)
                                        : 0,
                       .wrong = wrong,
                       .provider = "",
                       .storage = b->out ? dtype_name(b->weights) : "F32" };
    return true;
}

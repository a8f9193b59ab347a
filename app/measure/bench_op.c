/* bench_op.c -- operators as cases, from the tables that test them (host/ops/cases/); attention and linear
 * layers of few rows have names of their own. Attention's gradient is timed with its forward pass ("train");
 * only the forward values are compared.
 * SPDX-License-Identifier: MIT */
#include "app/measure/bench.h"

#include "host/base/philox.h"
#include "host/ops/cases/op_case.h"
#include "host/ops/mask.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 97, SIZE_MOST = 1 << 24 };
#define WRONG_MOST 1e-4

typedef struct op_bench {
    device *device;
    store *store;
    graph *graph;
    const op_test *test;
    const op_timed *timed;
    op_case c;
    dtype type;
    bool train;
    tensor *in[OP_CASE_IN], *y;
    op_array values[OP_CASE_IN];
} op_bench;

/* ---- Names ---- */

/* Finds the operator's table; false if none is to be timed. */
static bool find(op_bench *b, const char *name)
{
    for (const op_test *const *file = op_cases; *file; ++file)
        for (b->test = *file; b->test->name; ++b->test)
            for (b->timed = b->test->timed; b->timed && b->timed->name; ++b->timed)
                if (strcmp(b->timed->name, name) == 0) return true;
    return false;
}

void bench_operators(char *text, size_t size)
{
    size_t length = 0;
    *text = 0;
    for (const op_test *const *file = op_cases; *file; ++file)
        for (const op_test *test = *file; test->name; ++test)
            for (const op_timed *timed = test->timed; timed && timed->name; ++timed)
                if (timed->sizes && length < size)
                    length += (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "",
                                               timed->name);
}

static void make(op_bench *b, const int64_t *size)
{
    b->c.ints[0] = b->timed->which;
    b->timed->make(&b->c, size);
}

/* As many numbers as `form` has words, with x between them. */
static bool parse_sizes(const char *text, const char *form, int64_t size[OP_CASE_SIZES])
{
    for (int i = 0;; ++i) {
        char *end;
        if (i == OP_CASE_SIZES || *text < '0' || *text > '9') return false;
        size[i] = strtoll(text, &end, 10);
        if (size[i] < 1 || size[i] > SIZE_MOST) return false;
        form += strcspn(form, "x");
        if (!*form || !*end) return !*form && !*end;
        if (*end != 'x') return false;
        ++form;
        text = end + 1;
    }
}

/* Kernels count elements in 32 bits. */
static bool fits(const op_case *c)
{
    for (int k = 0; k < op_case_inputs(c); ++k) {
        double count = 1;
        for (int i = 0; i < c->in[k].rank; ++i) count *= (double)c->in[k].dim[i];
        if (count > INT32_MAX) return false;
    }
    return true;
}

static bool parse_op(op_bench *b, const char *name, error *err)
{
    char op[32] = "", known[512];
    int length = 0;
    int64_t size[OP_CASE_SIZES];
    bench_operators(known, sizeof known);
    if (sscanf(name, "op:%31[a-z_0-9]:%n", op, &length) != 1 || !length || !find(b, op) || !b->timed->sizes)
        return error_set(err, ERROR_USAGE, "bench: '%s' is not op:NAME:SIZES with one of %s", name, known);
    if (!parse_sizes(name + length, b->timed->sizes, size))
        return error_set(err, ERROR_USAGE, "bench: '%s': the sizes of %s are %s, each from 1 to %d", name, op,
                         b->timed->sizes, SIZE_MOST);
    make(b, size);
    return fits(&b->c) ||
           error_set(err, ERROR_USAGE, "bench: '%s': a tensor of more than %d elements", name, INT32_MAX);
}

static bool parse_attention(op_bench *b, const char *name)
{
    char form[8], kind[16], rest;
    int batch, text, side, heads, head;
    if (sscanf(name, "attention:%7[a-z]:%15[a-z]:%dx%d+%d^2,h%d,d%d%c", form, kind, &batch, &text, &side,
               &heads, &head, &rest) != 7 ||
        batch < 1 || text < 0 || side < 1 || heads < 1 || head < 1 || batch > 4096 || text > 65536 ||
        side > 256 || heads > 1024 || head > 1024)
        return false;
    b->train = strcmp(form, "train") == 0;
    if (!b->train && strcmp(form, "forward") != 0) return false;
    int found = strcmp(kind, "full") == 0 ? MASK_CAUSAL : -1; /* its name once */
    for (int k = 0; k < MASK_KINDS; ++k)
        if (strcmp(mask_kind_name((mask_kind)k), kind) == 0) found = k;
    if (found < 0 || !find(b, "attention")) return false;
    make(b, (int64_t[]){ found, batch, text, side, heads, head });
    return true;
}

static bool parse_linear(op_bench *b, const char *name, dtype weights)
{
    char rest;
    long long m, n, k;
    if (sscanf(name, "rows:%lldx%lldx%lld%c", &m, &n, &k, &rest) != 3 || m < 1 || n < 1 || k < 1 ||
        m > 4096 || n > 1 << 20 || k > 1 << 16 || !find(b, "linear_rows"))
        return false;
    b->type = weights;
    make(b, (int64_t[]){ m, n, k });
    return true;
}

static bool parse(op_bench *b, const char *name, dtype weights, error *err)
{
    if (strncmp(name, "op:", 3) == 0) return parse_op(b, name, err);
    return parse_linear(b, name, weights) || parse_attention(b, name) ||
           error_set(
               err, ERROR_USAGE,
               "bench: '%s' is neither rows:MxNxK nor "
               "attention:forward|train:causal|row|column|conv|bidirectional:BxTEXT+SIDE^2,hHEADS,dSIZE",
               name);
}

/* ---- Making, running, checking ---- */

static void free_values(op_bench *b)
{
    for (int k = 0; k < OP_CASE_IN; ++k) {
        free(b->values[k].v);
        b->values[k].v = NULL;
    }
}

static void close_op(void *self)
{
    op_bench *b = self;
    if (!b) return;
    graph_destroy(b->graph);
    store_destroy(b->store);
    free_values(b);
    free(b);
}

static bool run_op(void *self, error *err)
{
    op_bench *b = self;
    return graph_run(b->graph, err) && device_finish(b->device, err);
}

static void add_gradients(op_bench *b)
{
    graph_backward(b->graph, op_mean_all(op_mul(b->y, b->y)));
    for (int k = 0; k < op_case_inputs(&b->c); ++k) {
        tensor *d = graph_gradient(b->graph, b->in[k]);
        if (d) graph_keep(d);
    }
}

static bool prepare(op_bench *b, error *err)
{
    tensor *out[OP_CASE_OUT] = { NULL };
    if (!(b->store = store_create(b->device, err)) || !(b->graph = graph_create(b->store, err))) return false;
    for (int k = 0; k < op_case_inputs(&b->c); ++k)
        b->in[k] = op_case_input(b->graph, &b->c, k, b->type, b->train);
    b->test->build(b->graph, &b->c, b->in, out);
    b->y = out[0];
    graph_keep(b->y);
    if (b->train) add_gradients(b);
    if (!graph_compile(b->graph, 1, "the sizes", err)) return false;
    for (int k = 0; k < op_case_inputs(&b->c); ++k) {
        if (!op_case_array(&b->values[k], b->c.in[k].rank, b->c.in[k].dim))
            return error_set(err, ERROR_MEMORY, "out of memory for %lld values",
                             (long long)b->values[k].count);
        op_case_fill(&b->values[k], b->test->name, &b->c, k, b->type);
        if (!op_case_write(b->in[k], b->values[k].v, err)) return false;
    }
    return run_op(b, err);
}

/* Largest difference in the rows from..to of `want`, which are computed here; and the largest value. */
static void compare(const op_bench *b, op_array *want, const double *got, double *difference, double *largest)
{
    b->test->reference(&b->c, b->values, want);
    for (int64_t i = want->from * want->last; i < want->to * want->last; ++i) {
        const double off = fabs(got[i] - want->v[i]);
        *largest = fmax(*largest, fabs(want->v[i]));
        *difference = isfinite(off) ? fmax(*difference, off) : (double)INFINITY;
        if (isinf(*difference)) return;
    }
}

/* Of all rows, or of some from all parts of the result, against the largest value among them. */
static bool find_error(const op_bench *b, double *wrong, error *err)
{
    op_array want = { 0 };
    double *got = op_case_read(b->y, err), largest = 0, difference = 0;
    bool ok = got != NULL;
    if (ok && !op_case_array(&want, b->y->rank, b->y->dim))
        ok = error_set(err, ERROR_MEMORY, "out of memory for the results");
    const philox draw = { .seed = 2, .stream = 3 };
    const int64_t stretch = want.rows / PLACES;
    if (ok && stretch < 2) compare(b, &want, got, &difference, &largest);
    for (uint32_t i = 0; ok && stretch >= 2 && i < PLACES && !isinf(difference); ++i) {
        want.from = i * stretch + (int64_t)philox_below(&draw, i, (uint32_t)stretch);
        want.to = want.from + 1;
        compare(b, &want, got, &difference, &largest);
    }
    *wrong = largest > 0 ? difference / largest : difference;
    free(got);
    free(want.v);
    return ok;
}

static bool check(const op_bench *b, const char *name, double *wrong, error *err)
{
    if (!find_error(b, wrong, err)) return false;
    return *wrong <= WRONG_MOST ||
           error_set(err, ERROR_DEVICE, "%s: wrong by %.2g of the largest value (1e-4 is allowed) on %s",
                     name, *wrong, device_get_info(b->device)->name);
}

static double traffic(const op_bench *b, double flops)
{
    if (b->timed->bytes) return b->timed->bytes(&b->c, b->type);
    if (flops > 0) return 0;
    double bytes = (double)tensor_count(b->y) * (double)dtype_bytes(b->y->type);
    for (int k = 0; k < op_case_inputs(&b->c); ++k)
        bytes += (double)tensor_count(b->in[k]) * (double)dtype_bytes(b->in[k]->type);
    return bytes;
}

static void describe(bench_case *c, op_bench *b, double wrong)
{
    double flops = 0;
    for (int i = 0; i < graph_node_count(b->graph); ++i)
        if (graph_node_at(b->graph, i)->live) flops += node_flops(graph_node_at(b->graph, i));
    *c = (bench_case){ .self = b,
                       .run = run_op,
                       .close = close_op,
                       .flops = flops,
                       .bytes = traffic(b, flops),
                       .wrong = wrong,
                       .provider = "",
                       .storage = dtype_name(b->type) };
}

bool bench_open_op(bench_case *c, const char *name, const bench_options *o, error *err)
{
    op_bench *b = calloc(1, sizeof *b);
    double wrong = 0;
    if (!b) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", name);
    b->device = o->device;
    b->type = DTYPE_F32;
    if (!parse(b, name, o->type, err) || !prepare(b, err) || !check(b, name, &wrong, err)) {
        close_op(b);
        return false;
    }
    free_values(b);
    describe(c, b, wrong);
    return true;
}

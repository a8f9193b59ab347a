/* op_check.c -- runs an operator's cases; see op_check.h.
 * SPDX-License-Identifier: MIT */
#include "tests/support/op_check.h"
#include "host/base/philox.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRADIENTS_CHECKED_MAX = 200 }; /* elements of one input, evenly spread */

typedef struct shape_pair {
    int lanes, vec;
} shape_pair;

/* One case under one storage type and shape of kernels. */
typedef struct trial {
    const op_test *test;
    const op_case *c;
    device *device;
    dtype type;
    shape_pair shape;
    int in_count, out_count;
    op_array in[OP_CASE_IN], out[OP_CASE_OUT], weights[OP_CASE_OUT];
    tensor *in_tensor[OP_CASE_IN], *out_tensor[OP_CASE_OUT], *read[OP_CASE_OUT];
    tensor *weight_tensor[OP_CASE_OUT], *gradient[OP_CASE_IN];
    int failures;
} trial;

__attribute__((format(printf, 2, 3))) static void complain(trial *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "FAIL %s / %s  %s  lanes %d vec %d: ", t->test->name, t->c->name ? t->c->name : "?",
            dtype_name(t->type), t->shape.lanes, t->shape.vec);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    ++t->failures;
}

static void *need(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    CHECK(p, "out of memory for %zu bytes", bytes);
    return p;
}

static op_array array_new(int rank, const int64_t *dim)
{
    op_array a;
    CHECK(op_case_array(&a, rank, dim), "out of memory for %lld values", (long long)a.count);
    return a;
}

static void fill_inputs(trial *t)
{
    for (int k = 0; k < t->in_count; ++k) {
        t->in[k] = array_new(t->c->in[k].rank, t->c->in[k].dim);
        op_case_fill(&t->in[k], t->test->name, t->c, k, t->type);
    }
}

/* ---- The graph ---- */

/* loss = sum of weights * outputs; never run, for its gradient is all that is wanted.
 * Inputs: output, weights, output, weights.. */
static bool loss_infer(node *n)
{
    return !node_output(n, DTYPE_F32, 1, (int64_t[]){ 1 })->poison;
}

static void loss_grad(node *n, tensor *const *dout, tensor **din)
{
    (void)dout;
    for (int k = 0; k < n->in_count; k += 2) din[k] = n->in[k + 1];
}

static const op_def loss_def = { .name = "check_loss", .infer = loss_infer, .grad = loss_grad };

static void declare_inputs(trial *t, graph *g)
{
    for (int k = 0; k < t->in_count; ++k) t->in_tensor[k] = op_case_input(g, t->c, k, t->type, true);
}

static void declare_gradients(trial *t, graph *g)
{
    tensor *pairs[2 * OP_CASE_OUT];
    int count = 0;
    bool wanted = false;
    for (int k = 0; k < t->in_count; ++k) wanted |= op_case_differentiable(t->c->in[k].role);
    if (!wanted || t->c->no_gradient) return;
    for (int k = 0; k < t->out_count; ++k) {
        tensor *y = t->out_tensor[k];
        if (y->poison || !y->needs_gradient) continue;
        char name[32];
        snprintf(name, sizeof name, "weights%d", k);
        t->weight_tensor[k] = graph_input(g, name, y->type, y->rank, y->dim);
        pairs[count++] = y;
        pairs[count++] = t->weight_tensor[k];
    }
    if (!count) {
        complain(t, "no output has a gradient");
        return;
    }
    graph_backward(g, graph_node1(g, &loss_def, count, pairs, NULL, 0));
    for (int k = 0; k < t->in_count; ++k) {
        if (!op_case_differentiable(t->c->in[k].role)) continue;
        tensor *d = graph_gradient(g, t->in_tensor[k]);
        if (!d)
            complain(t, "no gradient reaches input %d", k);
        else if (!d->poison && d->type != t->in_tensor[k]->type)
            complain(t, "the gradient of input %d has type %s", k, dtype_name(d->type));
        if (d) graph_keep(t->gradient[k] = op_contiguous(d));
    }
}

/* ---- Comparison ---- */

static double tolerance(const trial *t, bool gradient)
{
    double tol = t->c->tol > 0 ? t->c->tol : 1e-5, factor = t->c->tol16 > 0 ? t->c->tol16 : 1;
    if (t->type == DTYPE_F32) return tol;
    double least = (t->type == DTYPE_F16 ? 2e-3 : 16e-3) * factor * (gradient ? 2 : 1);
    return tol > least ? tol : least;
}

static void compare(trial *t, const char *what, int k, dtype type, const double *got, const double *wanted,
                    int64_t count, double tol)
{
    double most = 0, worst = -1;
    int64_t at = 0;
    for (int64_t i = 0; i < count; ++i)
        if (isfinite(wanted[i]) && fabs(wanted[i]) > most) most = fabs(wanted[i]);
    for (int64_t i = 0; i < count; ++i) {
        if (got[i] == wanted[i]) continue;
        double e = fabs(got[i] - wanted[i]) / (most > 0 ? most : 1);
        if (!isfinite(e)) e = INFINITY;
        if (e > worst) {
            worst = e;
            at = i;
        }
    }
    if (worst > (type == DTYPE_I32 ? 0 : tol))
        complain(t, "%s %d: error %.3g > %.3g, at %lld of %lld: %.9g, wanted %.9g", what, k, worst, tol,
                 (long long)at, (long long)count, got[at], wanted[at]);
}

static double weighted(trial *t, op_array *scratch)
{
    double sum = 0;
    for (int k = 0; k < t->out_count; ++k) memset(scratch[k].v, 0, (size_t)scratch[k].count * sizeof(double));
    t->test->reference(t->c, t->in, scratch);
    for (int k = 0; k < t->out_count; ++k)
        for (int64_t i = 0; t->weight_tensor[k] && i < scratch[k].count; ++i)
            if (isfinite(scratch[k].v[i])) sum += t->weights[k].v[i] * scratch[k].v[i];
    return sum;
}

static void check_gradient(trial *t, int k, const double *got)
{
    op_array scratch[OP_CASE_OUT] = { 0 };
    for (int j = 0; j < t->out_count; ++j) scratch[j] = array_new(t->out[j].rank, t->out[j].dim);
    int64_t count = t->in[k].count, checked = 0;
    int64_t step = (count + GRADIENTS_CHECKED_MAX - 1) / GRADIENTS_CHECKED_MAX;
    double *wanted = need((size_t)count * sizeof(double)), *some = need((size_t)count * sizeof(double));
    double eps = t->c->eps > 0 ? t->c->eps : 1e-4;
    for (int64_t i = 0; i < count; i += step) {
        double kept = t->in[k].v[i];
        t->in[k].v[i] = kept + eps;
        double above = weighted(t, scratch);
        t->in[k].v[i] = kept - eps;
        double below = weighted(t, scratch);
        t->in[k].v[i] = kept;
        some[checked] = got[i];
        wanted[checked++] = (above - below) / (2 * eps);
    }
    compare(t, "gradient of input", k, DTYPE_F32, some, wanted, checked, tolerance(t, true));
    for (int64_t i = 0; i < count; ++i)
        if (isnan(got[i])) {
            complain(t, "gradient of input %d: NaN at %lld", k, (long long)i);
            break;
        }
    for (int j = 0; j < t->out_count; ++j) free(scratch[j].v);
    free(wanted);
    free(some);
}

/* ---- One trial ---- */

static bool run_once(trial *t, graph *g, double **outs, double **gradients, error *err)
{
    for (int k = 0; k < t->in_count; ++k)
        if (!op_case_write(t->in_tensor[k], t->in[k].v, err)) return false;
    for (int k = 0; k < t->out_count; ++k)
        if (t->weight_tensor[k] && !op_case_write(t->weight_tensor[k], t->weights[k].v, err)) return false;
    if (!graph_run(g, err)) return false;
    for (int k = 0; k < t->out_count; ++k)
        if (!(outs[k] = op_case_read(t->read[k], err))) return false;
    for (int k = 0; k < t->in_count; ++k)
        if (t->gradient[k] && !(gradients[k] = op_case_read(t->gradient[k], err))) return false;
    return true;
}

static bool same_bits(const double *a, const double *b, int64_t count)
{
    return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

static void run_and_compare(trial *t, graph *g, error *err)
{
    double *outs[2][OP_CASE_OUT] = { { 0 } }, *gradients[2][OP_CASE_IN] = { { 0 } };
    if (!run_once(t, g, outs[0], gradients[0], err) || !run_once(t, g, outs[1], gradients[1], err)) {
        complain(t, "%s", err->message);
    } else {
        t->test->reference(t->c, t->in, t->out);
        for (int k = 0; k < t->out_count; ++k) {
            compare(t, "output", k, t->read[k]->type, outs[0][k], t->out[k].v, t->out[k].count,
                    tolerance(t, false));
            if (!same_bits(outs[0][k], outs[1][k], t->out[k].count))
                complain(t, "output %d: a second run gives other bits", k);
        }
        for (int k = 0; k < t->in_count; ++k) {
            if (!t->gradient[k]) continue;
            check_gradient(t, k, gradients[0][k]);
            if (!same_bits(gradients[0][k], gradients[1][k], t->in[k].count))
                complain(t, "gradient of input %d: a second run gives other bits", k);
        }
    }
    for (int run = 0; run < 2; ++run) {
        for (int k = 0; k < t->out_count; ++k) free(outs[run][k]);
        for (int k = 0; k < t->in_count; ++k) free(gradients[run][k]);
    }
}

static void prepare_outputs(trial *t)
{
    philox p = { .seed = 77, .stream = philox_stream(t->test->name) };
    for (int k = 0; k < t->out_count; ++k) {
        const tensor *y = t->out_tensor[k];
        t->out[k] = array_new(y->rank, y->dim);
        t->weights[k] = array_new(y->rank, y->dim);
        p.step = (uint32_t)k;
        for (int64_t i = 0; i < t->weights[k].count; ++i)
            t->weights[k].v[i] = op_case_rounded(y->type, 2 * (double)philox_uniform(&p, (uint32_t)i) - 1);
    }
}

static void run_in_graph(trial *t, graph *g, error *err)
{
    declare_inputs(t, g);
    t->test->build(g, t->c, t->in_tensor, t->out_tensor);
    while (t->out_count < OP_CASE_OUT && t->out_tensor[t->out_count]) ++t->out_count;
    for (int k = 0; k < t->out_count; ++k) {
        t->read[k] = op_contiguous(t->out_tensor[k]);
        graph_keep(t->read[k]);
    }
    if (!t->c->fails) declare_gradients(t, g);
    bool compiled = graph_compile(g, 1, NULL, err);
    if (t->c->fails) {
        if (compiled)
            complain(t, "was accepted; a message with '%s' is due", t->c->fails);
        else if (!strstr(err->message, t->c->fails))
            complain(t, "says '%s'; '%s' is due", err->message, t->c->fails);
        return;
    }
    if (!compiled) {
        complain(t, "%s", err->message);
        return;
    }
    if (getenv("DALLE_CL_COMPILE_ONLY")) return;
    graph_poison_memory(g, true);
    prepare_outputs(t);
    run_and_compare(t, g, err);
}

static int run_trial(device *d, const op_test *test, const op_case *c, dtype type, shape_pair shape)
{
    trial t = { .test = test, .c = c, .device = d, .type = type, .shape = shape };
    if (!device_set_shape(d, shape.lanes, shape.vec)) return 0;
    t.in_count = op_case_inputs(c);
    fill_inputs(&t);
    error err = { 0 };
    store *s = store_create(d, &err);
    graph *g = s ? graph_create(s, &err) : NULL;
    if (g)
        run_in_graph(&t, g, &err);
    else
        complain(&t, "%s", err.message);
    graph_destroy(g);
    store_destroy(s);
    for (int k = 0; k < t.in_count; ++k) free(t.in[k].v);
    for (int k = 0; k < OP_CASE_OUT; ++k) {
        free(t.out[k].v);
        free(t.weights[k].v);
    }
    return t.failures;
}

/* ---- All of them ---- */

static int run_test(device *d, const op_test *test, bool tiny)
{
    static const shape_pair all[] = { { 1, 16 }, { 1, 8 }, { 1, 1 }, { 4, 4 }, { 64, 4 } };
    static const shape_pair few[] = { { 1, 8 }, { 4, 4 } };
    static const dtype types[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
    const shape_pair *shapes = tiny ? few : all;
    int shape_count = tiny ? 2 : 5, failures = 0;
    for (int k = 0; k < test->count; ++k) {
        const op_case *c = &test->cases[k];
        if (tiny && c->large) continue;
        for (int y = 0; y < 3; ++y) {
            if (types[y] != DTYPE_F32 && (c->f32_only || c->fails)) continue;
            for (int s = 0; s < shape_count; ++s) {
                /* Storage types and shapes of kernels are independent: 16 bits at one or two are enough. */
                bool narrow = types[y] != DTYPE_F32;
                if (narrow && s != 0 && !(k == 0 && types[y] == DTYPE_F16 && shapes[s].lanes == 4)) continue;
                if (narrow && tiny && types[y] != DTYPE_F16) continue;
                if (c->fails && s > 0) continue;
                /* Compiling is what takes time: the rarer shapes see the first case only. */
                if (k > 0 && !tiny && (shapes[s].vec == 8 || shapes[s].lanes == 64)) continue;
                failures += run_trial(d, test, c, types[y], shapes[s]);
            }
        }
    }
    printf("%s %s: %d cases\n", failures ? "FAIL" : "ok", test->name, test->count);
    return failures;
}

int op_check_all(int count, const op_test *tests)
{
    error err = { 0 };
    device *d = device_open(NULL, &err);
    if (!d) {
        fprintf(stderr, "%s\n", err.message);
        return err.code == ERROR_USAGE ? 1 : 77;
    }
    const char *word = getenv("DALLE_CL_TINY");
    bool tiny = word && *word && strcmp(word, "0") != 0;
    int failures = 0;
    for (int k = 0; k < count; ++k) failures += run_test(d, &tests[k], tiny);
    device_close(d);
    return failures ? 1 : 0;
}

int op_check_tables(const op_test *tests)
{
    int count = 0;
    while (tests[count].name) ++count;
    return op_check_all(count, tests);
}

int op_check_main(const op_test *test)
{
    return op_check_all(1, test);
}

/* golden.h -- comparing a graph's tensors with what tools/make_golden.py stored: the error of a tensor is
 * max|a-b| / max|b|, at most 1e-4, or what the test says before it includes this.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_MODELS_GOLDEN_H
#define DALLE_CL_TESTS_MODELS_GOLDEN_H

#include "data/safetensors.h"
#include "host/ops/ops.h"
#include "host/train/checkpoint.h"
#include "tests/support/device_or_skip.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#ifndef GOLDEN_TOLERANCE
#define GOLDEN_TOLERANCE 1e-4
#endif

typedef struct golden {
    device *device;
    store *store;
    graph *graph;
    safetensors *file;
    char path[512];
} golden;

/* Fails the test with the error's text. */
#define OK(call) \
    do { \
        if (!(call)) fail_msg("%s", golden_error.message); \
    } while (0)
static error golden_error;

static inline void golden_open(golden *k, const char *name)
{
    const char *folder = getenv("DALLE_CL_TEST_DATA");
    snprintf(k->path, sizeof k->path, "%s/golden/%s.safetensors", folder ? folder : "tests", name);
    OK(k->file = safetensors_open(k->path, &golden_error));
    OK(k->store = store_create(k->device, &golden_error));
    OK(k->graph = graph_create(k->store, &golden_error));
}

static inline void golden_close(golden *k)
{
    graph_destroy(k->graph);
    store_destroy(k->store);
    safetensors_close(k->file);
}

static inline const safetensors_tensor *golden_find(const golden *k, const char *prefix, const char *name)
{
    char full[300];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const safetensors_tensor *t = safetensors_find(k->file, full);
    if (!t) fail_msg("%s: no tensor '%s'", k->path, full);
    return t;
}

/* An input of the graph with the stored tensor's type and shape; written by golden_run. */
static inline tensor *golden_input(golden *k, const char *name)
{
    const safetensors_tensor *t = golden_find(k, "in.", name);
    return graph_input(k->graph, name, t->type, t->rank, t->dim);
}

static inline void golden_write(golden *k, tensor *input, const char *name)
{
    OK(graph_write(input, golden_find(k, "in.", name)->data, &golden_error));
}

static inline void golden_compile(golden *k)
{
    OK(graph_compile(k->graph, 1, NULL, &golden_error));
    OK(checkpoint_import(k->store, k->path, true, NULL, &golden_error));
    graph_poison_memory(k->graph, true);
}

/* `values` against the stored tensor. */
static inline void golden_compare(const golden *k, const char *prefix, const char *name, const float *values,
                                  int64_t count)
{
    const safetensors_tensor *t = golden_find(k, prefix, name);
    const float *expected = t->data;
    assert_int_equal(t->bytes, count * 4);
    double most = 0, worst = 0;
    for (int64_t i = 0; i < count; ++i) {
        double difference = fabs((double)values[i] - (double)expected[i]);
        if (!(difference <= worst)) worst = difference;
        if (fabs((double)expected[i]) > most) most = fabs((double)expected[i]);
    }
    printf("%s%s: error %.2g\n", prefix, name, worst / most);
    if (!(worst <= GOLDEN_TOLERANCE * most)) fail_msg("%s%s differs", prefix, name);
}

/* A kept tensor's value after a run. */
static inline void golden_check(const golden *k, const char *prefix, const char *name, tensor *t)
{
    int64_t count = tensor_count(t);
    float *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    OK(graph_read_f32(t, values, &golden_error));
    golden_compare(k, prefix, name, values, count);
    free(values);
}

/* What an update has made of a parameter: the file has it under "after.". */
static inline void golden_check_after(const golden *k, const char *name)
{
    store_entry *e = store_find(k->store, name);
    if (!e) fail_msg("the model has no parameter '%s'", name);
    float *values = malloc((size_t)e->count * sizeof *values);
    assert_non_null(values);
    OK(store_read_f32(k->store, e, values, &golden_error));
    golden_compare(k, "after.", name, values, e->count);
    free(values);
}

enum { GOLDEN_GRADIENTS_MAX = 32 };

/* Keeps the gradient of every weight that the file has one for; to be checked with the next. */
typedef struct golden_gradients {
    int count;
    const char *name[GOLDEN_GRADIENTS_MAX];
    tensor *at[GOLDEN_GRADIENTS_MAX];
} golden_gradients;

static inline void golden_keep_gradients(golden *k, golden_gradients *kept)
{
    kept->count = 0;
    for (int i = 0; i < safetensors_count(k->file); ++i) {
        const char *name = safetensors_at(k->file, i)->name;
        if (strncmp(name, "grad.", 5) != 0) continue;
        store_entry *e = store_find(k->store, name + 5);
        if (!e) fail_msg("the model has no parameter '%s'", name + 5);
        tensor *gradient = graph_gradient(k->graph, graph_entry(k->graph, e));
        if (!gradient) fail_msg("'%s' gets no gradient", e->name);
        assert_true(kept->count < GOLDEN_GRADIENTS_MAX);
        kept->name[kept->count] = e->name;
        kept->at[kept->count] = op_contiguous(gradient);
        graph_keep(kept->at[kept->count++]);
    }
    assert_true(kept->count > 0);
}

static inline void golden_check_gradients(const golden *k, const golden_gradients *kept)
{
    for (int i = 0; i < kept->count; ++i) golden_check(k, "grad.", kept->name[i], kept->at[i]);
}

#endif

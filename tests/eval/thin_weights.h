/* thin_weights.h -- weights of Inception-v3 with every width divided by 16, by tools/make_inception.py's
 * rule; and files of which something is wrong.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_TESTS_EVAL_THIN_WEIGHTS_H
#define DALLE_CL_TESTS_EVAL_THIN_WEIGHTS_H

#include "app/eval/inception.h"
#include "app/eval/inception_net.h"
#include "tests/eval/rule.h"

enum {
    THIN_BY = 16,
    THIN_FEATURES = INCEPTION_FEATURES / THIN_BY,
    THIN_CLASSES = INCEPTION_CLASSES / THIN_BY
};

/* What is wrong: names of tensors, or NULL.  A NaN, or a huge number, is the tensor's last. */
typedef struct thin_damage {
    const char *missing, *misshapen, *narrow, *nan, *huge;
    const char *extra; /* a layer that the network has not */
} thin_damage;

typedef struct thin_file {
    safetensors_writer *writer;
    const thin_damage *damage;
    float *values[5 * INCEPTION_CONVOLUTIONS + 3];
    int count;
} thin_file;

static inline bool thin_is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static inline bool thin_ends(const char *name, const char *with)
{
    const size_t n = strlen(name), w = strlen(with);
    return n >= w && strcmp(name + n - w, with) == 0;
}

static inline float thin_weight(const char *name, int rank, int64_t fan_in, int64_t element)
{
    const float u = rule_uniform(name, element);
    if (thin_ends(name, "running_var") || thin_ends(name, "bn.weight")) return 0.5f + u;
    if (rank == 1) return (u - 0.5f) * 0.5f;
    return (2 * u - 1) * (float)sqrt(6.0 / (double)fan_in);
}

static inline void thin_put(thin_file *f, const char *layer, const char *what, int rank, const int64_t *dim)
{
    char name[200];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    const thin_damage *wrong = f->damage;
    if (thin_is(wrong->missing, name)) return;
    int64_t count = 1;
    for (int i = 0; i < rank; ++i) count *= dim[i];
    float *values = f->values[f->count++] = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < count; ++i) values[i] = thin_weight(name, rank, count / dim[0], i);
    if (thin_is(wrong->nan, name)) values[count - 1] = NAN;
    if (thin_is(wrong->huge, name)) values[count - 1] = 3e38f;
    if (thin_is(wrong->misshapen, name)) rank = 1, dim = &count;
    const dtype type = thin_is(wrong->narrow, name) ? DTYPE_F16 : DTYPE_F32;
    OK(safetensors_add(f->writer, name, type, rank, dim, values, count * (int64_t)dtype_bytes(type),
                       &rule_error));
}

static inline void thin_put_layer(thin_file *f, const inception_layer *l)
{
    const int64_t *d = l->weight->dim;
    thin_put(f, l->name, "conv.weight", 4, (int64_t[]){ d[0], d[3], d[1], d[2] });
    thin_put(f, l->name, "bn.weight", 1, d);
    thin_put(f, l->name, "bn.bias", 1, d);
    thin_put(f, l->name, "bn.running_mean", 1, d);
    thin_put(f, l->name, "bn.running_var", 1, d);
}

static inline void thin_weights_write(device *d, const char *path, const thin_damage *wrong)
{
    store *s;
    inception_net net = { .thinner = THIN_BY };
    thin_file f = { .writer = safetensors_writer_create(), .damage = wrong };
    assert_non_null(f.writer);
    OK(s = store_create(d, &rule_error));
    OK(net.graph = graph_create(s, &rule_error));
    inception_net_build(&net, 1);
    OK(graph_sound(net.graph, &rule_error));
    assert_int_equal(net.count, INCEPTION_CONVOLUTIONS);
    for (int i = 0; i < net.count; ++i) thin_put_layer(&f, &net.layer[i]);
    thin_put(&f, "fc", "weight", 2, (int64_t[]){ THIN_CLASSES, THIN_FEATURES });
    thin_put(&f, "fc", "bias", 1, (int64_t[]){ THIN_CLASSES });
    if (wrong->extra) thin_put(&f, wrong->extra, "weight", 1, (int64_t[]){ 3 });
    OK(safetensors_write(f.writer, path, &rule_error));
    safetensors_writer_destroy(f.writer);
    for (int i = 0; i < f.count; ++i) free(f.values[i]);
    graph_destroy(net.graph);
    store_destroy(s);
}

#endif

/* inception_load.c -- the weights of Inception-v3 from a file by pytorch-fid's names: every tensor is
 * checked, batch normalisation folded into the convolution before it,
 *
 *     gain (conv(x) - mean) / sqrt(variance + epsilon) + shift = (conv(x) f) + (shift - mean f),
 *
 * and weights turned from [Cout,Cin,ky,kx] to [Cout,ky,kx,Cin].
 * SPDX-License-Identifier: MIT */
#include "app/eval/inception_net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_NORM_EPSILON 1e-3

typedef struct source {
    const safetensors *file;
    const char *path;
    bool *used; /* by tensor, or NULL */
    error *err;
} source;

static void shape_text(char *text, size_t size, int rank, const int64_t *dim)
{
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < rank && at < size; ++i)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", i ? "," : "", (long long)dim[i]);
    if (at < size) snprintf(text + at, size - at, "]");
}

static void mark_used(source *s, const safetensors_tensor *t)
{
    for (int i = 0; i < safetensors_count(s->file); ++i)
        if (safetensors_at(s->file, i) == t) s->used[i] = true;
}

static bool same_shape(const safetensors_tensor *t, int rank, const int64_t *dim)
{
    bool same = t->rank == rank;
    for (int i = 0; same && i < rank; ++i) same = t->dim[i] == dim[i];
    return same;
}

/* The values of "layer.what", which must have that shape; NULL with the error. */
static const float *take(source *s, const char *layer, const char *what, int rank, const int64_t *dim)
{
    char name[200], there[160], wanted[160];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    shape_text(wanted, sizeof wanted, rank, dim);
    const safetensors_tensor *t = safetensors_find(s->file, name);
    if (!t)
        return error_null(
            s->err, ERROR_FORMAT,
            "'%s' lacks the tensor '%s' %s of Inception-v3; tools/convert_inception.py makes such "
            "a file from the published one",
            s->path, name, wanted);
    shape_text(there, sizeof there, t->rank, t->dim);
    if (!same_shape(t, rank, dim) || !t->loadable || t->type != DTYPE_F32)
        return error_null(s->err, ERROR_FORMAT, "'%s': the tensor '%s' is %s %s; Inception-v3's is F32 %s",
                          s->path, name, t->type_name, there, wanted);
    if (s->used) mark_used(s, t);
    return t->data;
}

static bool all_used(const source *s)
{
    for (int i = 0; i < safetensors_count(s->file); ++i)
        if (!s->used[i])
            return error_set(s->err, ERROR_FORMAT,
                             "'%s' has the tensor '%s', which Inception-v3 has not; "
                             "tools/convert_inception.py makes a file without it",
                             s->path, safetensors_at(s->file, i)->name);
    return true;
}

static bool all_finite(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; ++i)
        if (!isfinite(values[i])) return false;
    return true;
}

static bool write(const source *s, const char *name, tensor *to, const float *values)
{
    if (!all_finite(values, tensor_count(to)))
        return error_set(s->err, ERROR_FORMAT,
                         "'%s': the weights of '%s' give what is no finite number; the file is damaged",
                         s->path, name);
    return graph_write(to, values, s->err);
}

/* A convolution's tensors in the file. */
typedef struct raw_layer {
    const float *weight, *gain, *shift, *mean, *variance;
} raw_layer;

static bool take_layer(source *s, const inception_layer *l, raw_layer *raw)
{
    const int64_t *d = l->weight->dim;
    const int64_t file_dim[] = { d[0], d[3], d[1], d[2] };
    return (raw->weight = take(s, l->name, "conv.weight", 4, file_dim)) &&
           (raw->gain = take(s, l->name, "bn.weight", 1, d)) &&
           (raw->shift = take(s, l->name, "bn.bias", 1, d)) &&
           (raw->mean = take(s, l->name, "bn.running_mean", 1, d)) &&
           (raw->variance = take(s, l->name, "bn.running_var", 1, d));
}

static void fold(const inception_layer *l, const raw_layer *raw, float *weight, float *bias)
{
    const int64_t *d = l->weight->dim, taps = d[1] * d[2], in = d[3];
    for (int64_t o = 0; o < d[0]; ++o) {
        const double factor = (double)raw->gain[o] / sqrt((double)raw->variance[o] + BATCH_NORM_EPSILON);
        bias[o] = (float)((double)raw->shift[o] - (double)raw->mean[o] * factor);
        for (int64_t c = 0; c < in; ++c)
            for (int64_t k = 0; k < taps; ++k)
                weight[(o * taps + k) * in + c] =
                    (float)((double)raw->weight[(o * in + c) * taps + k] * factor);
    }
}

static bool load_layer(source *s, const inception_layer *l)
{
    raw_layer raw;
    if (!take_layer(s, l, &raw)) return false;
    const int64_t count = tensor_count(l->weight), out = l->weight->dim[0];
    float *values = malloc((size_t)(count + out) * sizeof *values);
    if (!values) return error_set(s->err, ERROR_MEMORY, "out of memory for the weights of '%s'", l->name);
    fold(l, &raw, values, values + count);
    bool ok = write(s, l->name, l->weight, values) && write(s, l->name, l->bias, values + count);
    free(values);
    return ok;
}

/* The classifier's bias is part of the file, and of no figure. */
static const float *take_classifier(source *s, const tensor *classifier)
{
    return take(s, "fc", "bias", 1, classifier->dim) ? take(s, "fc", "weight", 2, classifier->dim) : NULL;
}

bool inception_net_check(const inception_net *net, const safetensors *file, const char *path, error *err)
{
    source s = { file, path, calloc((size_t)safetensors_count(file) + 1, sizeof *s.used), err };
    if (!s.used) return error_set(err, ERROR_MEMORY, "out of memory for the weights of '%s'", path);
    bool ok = true;
    for (int i = 0; ok && i < net->count; ++i) ok = take_layer(&s, &net->layer[i], &(raw_layer){ 0 });
    ok = ok && take_classifier(&s, net->classifier) && all_used(&s);
    free(s.used);
    return ok;
}

bool inception_net_load(inception_net *net, const safetensors *file, const char *path, error *err)
{
    source s = { .file = file, .path = path, .err = err };
    for (int i = 0; i < net->count; ++i)
        if (!load_layer(&s, &net->layer[i])) return false;
    const float *weight = take_classifier(&s, net->classifier);
    return weight && write(&s, "fc", net->classifier, weight);
}

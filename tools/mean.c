/* mean.c -- see mean.h.
 * SPDX-License-Identifier: MIT */
#include "tools/mean.h"

#include "data/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_shape(const safetensors_tensor *a, const safetensors_tensor *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

/* In `after`'s type, to be freed. */
static void *mean_of(const safetensors_tensor *before, const safetensors_tensor *after, error *err)
{
    if (!before || !same_shape(before, after))
        return error_null(err, ERROR_FORMAT, "'%s' is in the second file, and in the first not of that shape",
                          after->name);
    if (!before->loadable || !after->loadable || !dtype_is_float(before->type) ||
        !dtype_is_float(after->type))
        return error_null(err, ERROR_FORMAT, "'%s' has types %s and %s, of which there is no mean",
                          after->name, before->type_name, after->type_name);
    char *mean = malloc((size_t)after->bytes + 1);
    if (!mean) return error_null(err, ERROR_MEMORY, "out of memory for the mean of '%s'", after->name);
    int64_t count = after->bytes / (int64_t)dtype_bytes(after->type);
    for (int64_t i = 0; i < count; ++i)
        dtype_store(after->type, mean, i,
                    (dtype_load(before->type, before->data, i) + dtype_load(after->type, after->data, i)) /
                        2);
    return mean;
}

static bool add_texts(safetensors_writer *out, const safetensors *after, error *err)
{
    static const char *const keys[] = { "kind", "step", "config" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) {
        const char *text = safetensors_metadata(after, keys[i]);
        if (text && !safetensors_add_metadata(out, keys[i], text, err)) return false;
    }
    return safetensors_add_checksum(out, err);
}

/* The means lie in `means`, one for each of `after`'s tensors, for the caller to free. */
static bool write_means(const safetensors *before, const safetensors *after, void **means, const char *path,
                        error *err)
{
    int count = safetensors_count(after);
    if (safetensors_count(before) != count)
        return error_set(err, ERROR_FORMAT, "the files have %d and %d tensors", safetensors_count(before),
                         count);
    safetensors_writer *out = safetensors_writer_create();
    if (!out) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", path);
    bool ok = add_texts(out, after, err);
    for (int i = 0; ok && i < count; ++i) {
        const safetensors_tensor *t = safetensors_at(after, i);
        ok = (means[i] = mean_of(safetensors_find(before, t->name), t, err)) &&
             safetensors_add(out, t->name, t->type, t->rank, t->dim, means[i], t->bytes, err);
    }
    ok = ok && safetensors_write(out, path, err);
    safetensors_writer_destroy(out);
    return ok;
}

bool mean_parameters(const char *before_path, const char *after_path, const char *path, error *err)
{
    bool stated;
    safetensors *before = safetensors_open_whole(before_path, &stated, err);
    safetensors *after = before ? safetensors_open_whole(after_path, &stated, err) : NULL;
    int count = after ? safetensors_count(after) : 0;
    void **means = calloc((size_t)count + 1, sizeof *means);
    if (after && !means) error_set(err, ERROR_MEMORY, "out of memory for %d tensors", count);
    bool ok = after && means && write_means(before, after, means, path, err);
    for (int i = 0; means && i < count; ++i) free(means[i]);
    free(means);
    safetensors_close(after);
    safetensors_close(before);
    return ok;
}

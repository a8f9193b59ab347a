/* start.c -- see start.h.
 * SPDX-License-Identifier: MIT */
#include "models/diffusion_prior/start.h"

#include "host/graph/split.h"
#include "models/start.h"

#include <stdlib.h>

static bool fits(const safetensors_tensor *t, const store *prior, const store_entry *e)
{
    int64_t dim[TENSOR_RANK_MAX];
    split_sizes(prior, e, dim);
    bool same = t->rank == e->rank;
    for (int i = 0; same && i < e->rank; ++i) same = t->dim[i] == dim[i];
    return same;
}

static bool start_entry(const start_file *o, store *prior, store_entry *e, error *err)
{
    const safetensors_tensor *t = start_parameter(o, e->name, err);
    if (!t) return false;
    if (!fits(t, prior, e))
        return error_set(
            err, ERROR_MODEL,
            "'%s': tensor '%s' has another shape than this run's, whose CLIP has other tokens or "
            "embeddings of another size: name the CLIP that it was trained with, or leave out --init",
            o->path, e->name);
    const int64_t count = split_count(prior, e);
    float *values = malloc((size_t)count * sizeof *values);
    if (!values) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
    dtype_convert(DTYPE_F32, values, t->type, t->data, count);
    bool ok = split_write_f32(prior, e, 0, count, values, err);
    free(values);
    return ok;
}

bool diffusion_prior_start_from_model(store *prior, const part_files *files, error *err)
{
    start_file o = { .path = files->weights };
    bool ok = (o.file = safetensors_open_whole(files->weights, NULL, err)) != NULL;
    for (int i = 0; ok && i < store_count(prior); ++i) {
        store_entry *e = store_at(prior, i);
        if (e->kind == STORE_PARAMETER || e->kind == STORE_LEARNT) ok = start_entry(&o, prior, e, err);
    }
    safetensors_close(o.file);
    return ok;
}

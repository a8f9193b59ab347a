/* start.c -- see start.h.
 * SPDX-License-Identifier: MIT */
#include "models/decoder/start.h"

#include "models/start.h"

#include <stdlib.h>
#include <string.h>

static const char input[] = "unet.in.weight";

/* Whether a file's tensor can become the parameter: it has its shape, or is the input's with fewer
 * channels. */
static bool fits(const safetensors_tensor *t, const store_entry *e)
{
    bool same = t->rank == e->rank, grows = strcmp(e->name, input) == 0;
    for (int i = 0; same && i < e->rank; ++i)
        same =
            t->dim[i] == e->dim[i] || (grows && i == e->rank - 1 && t->dim[i] > 0 && t->dim[i] < e->dim[i]);
    return same;
}

/* Moves rows of `has` numbers apart, from the last on, zeros between them. */
static void spread_rows(float *values, int64_t rows, int64_t has, int64_t size)
{
    for (int64_t row = rows - 1; row >= 0 && has < size; --row) {
        memmove(values + row * size, values + row * has, (size_t)has * sizeof *values);
        memset(values + row * size + has, 0, (size_t)(size - has) * sizeof *values);
    }
}

static bool start_entry(const start_file *o, store *decoder, store_entry *e, error *err)
{
    const safetensors_tensor *t = start_parameter(o, e->name, err);
    if (!t) return false;
    if (!fits(t, e))
        return error_set(
            err, ERROR_MODEL,
            "'%s': tensor '%s' has another shape than this run's, whose CLIP has other tokens or "
            "embeddings of another size: name the CLIP that it was trained with, or leave out --init",
            o->path, e->name);
    int64_t size = e->dim[e->rank - 1], has = t->dim[t->rank - 1], rows = e->count / size;
    float *values = malloc((size_t)e->count * sizeof *values);
    if (!values) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
    dtype_convert(DTYPE_F32, values, t->type, t->data, rows * has);
    spread_rows(values, rows, has, size);
    bool ok = store_write_f32(decoder, e, values, err);
    free(values);
    return ok;
}

bool decoder_start_from_model(store *decoder, const part_files *files, error *err)
{
    start_file o = { .path = files->weights };
    bool ok = (o.file = safetensors_open_whole(files->weights, NULL, err)) != NULL;
    for (int i = 0; ok && i < store_count(decoder); ++i)
        if (store_at(decoder, i)->kind == STORE_PARAMETER)
            ok = start_entry(&o, decoder, store_at(decoder, i), err);
    safetensors_close(o.file);
    return ok;
}

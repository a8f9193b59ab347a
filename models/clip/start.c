/* start.c -- see start.h.
 * SPDX-License-Identifier: MIT */
#include "models/clip/start.h"

#include "host/graph/split.h"
#include "models/start.h"

#include <stdlib.h>
#include <string.h>

static const char pieces[] = "text.embedding", positions_name[] = "text.position";

bool clip_start_positions(const part_files *files, int64_t *positions, error *err)
{
    start_file o = { .path = files->weights, .file = safetensors_open(files->weights, err) };
    const safetensors_tensor *t = o.file ? start_parameter(&o, positions_name, err) : NULL;
    if (t) *positions = t->rank > 0 ? t->dim[0] : 0;
    safetensors_close(o.file);
    return t != NULL;
}

/* Whether a file's tensor can become the parameter: it has its shape, or fewer rows of text. */
static bool fits(const safetensors_tensor *t, const store_entry *e, const int64_t *dim)
{
    bool same = t->rank == e->rank,
         grows = strcmp(e->name, pieces) == 0 || strcmp(e->name, positions_name) == 0;
    for (int i = 0; same && i < e->rank; ++i)
        same = t->dim[i] == dim[i] || (i == 0 && grows && t->dim[i] > 0 && t->dim[i] < dim[i]);
    return same;
}

/* Rows behind the tokenizer's pieces, the caption's end, stay behind them; new pieces are composed. */
static bool grow_pieces(const start_file *o, float *values, int64_t from, int64_t to, int64_t size,
                        error *err)
{
    int64_t old = tokenizer_vocabulary(o->old), grown = tokenizer_vocabulary(o->grown), ends = from - old;
    if (from == to || ends < 0 || to - grown != ends)
        return from == to ||
               error_set(err, ERROR_FORMAT, "'%s': '%s' has %lld rows for a tokenizer of %lld tokens",
                         o->path, pieces, (long long)from, (long long)old);
    memmove(values + grown * size, values + old * size, (size_t)(ends * size) * sizeof *values);
    memset(values + old * size, 0, (size_t)((grown - old) * size) * sizeof *values);
    for (int64_t row = old; row < grown; ++row)
        if (!start_piece(o, values, row, size, err)) return false;
    return true;
}

static bool start_entry(const start_file *o, store *clip, store_entry *e, error *err)
{
    const safetensors_tensor *t = start_parameter(o, e->name, err);
    if (!t) return false;
    int64_t dim[TENSOR_RANK_MAX];
    split_sizes(clip, e, dim);
    if (!fits(t, e, dim))
        return error_set(err, ERROR_FORMAT,
                         "'%s': tensor '%s' has %lld rows, the run's has %lld: they are of other sizes",
                         o->path, e->name, (long long)t->dim[0], (long long)dim[0]);
    const int64_t count = split_count(clip, e), size = count / dim[0], has = t->dim[0];
    float *values = calloc((size_t)count, sizeof *values);
    if (!values) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
    dtype_convert(DTYPE_F32, values, t->type, t->data, has * size);
    bool ok = strcmp(e->name, pieces) != 0 || grow_pieces(o, values, has, dim[0], size, err);
    for (int64_t row = has; strcmp(e->name, positions_name) == 0 && row < dim[0]; ++row)
        memcpy(values + row * size, values + (has - 1) * size, (size_t)size * sizeof *values);
    ok = ok && split_write_f32(clip, e, 0, count, values, err);
    free(values);
    return ok;
}

bool clip_start_from_model(store *clip, const part_files *files, const tokenizer *grown, error *err)
{
    start_file o = { .path = files->weights, .grown = grown };
    bool ok = (o.file = safetensors_open_whole(files->weights, NULL, err)) &&
              (o.old = tokenizer_open(part_files_role(files, PART_TOKENIZER), err));
    for (int i = 0; ok && i < store_count(clip); ++i)
        if (store_at(clip, i)->kind == STORE_PARAMETER) ok = start_entry(&o, clip, store_at(clip, i), err);
    tokenizer_close(o.old);
    safetensors_close(o.file);
    return ok;
}

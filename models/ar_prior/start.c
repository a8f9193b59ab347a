/* start.c -- see start.h.
 * SPDX-License-Identifier: MIT */
#include "models/ar_prior/start.h"

#include "host/graph/split.h"
#include "models/kinds.h"
#include "models/start.h"
#include "models/unclip/clip_source.h"

#include <stdlib.h>

/* Only what the file says of itself. */
static bool check_clip(const safetensors *file, const clip_part *clip, const char *clip_folder,
                       const char *folder, error *err)
{
    checkpoint_text pairs[2];
    checkpoint_metadata of_file = { 0, pairs };
    static const char *const keys[] = { CLIP_ORIGIN_KEY, "state" };
    for (int i = 0; i < 2; ++i) {
        const char *value = safetensors_metadata(file, keys[i]);
        if (value) pairs[of_file.count++] = (checkpoint_text){ keys[i], value };
    }
    return clip_source_check(clip, clip_folder, &of_file, false, ar_prior_kind.title, folder, err);
}

static bool start_entry(const start_file *o, store *s, store_entry *e, error *err)
{
    const safetensors_tensor *t = start_parameter(o, e->name, err);
    if (!t) return false;
    const int64_t count = split_count(s, e);
    int64_t dim[TENSOR_RANK_MAX];
    split_sizes(s, e, dim);
    bool same = t->rank == e->rank;
    for (int i = 0; same && i < e->rank; ++i) same = t->dim[i] == dim[i];
    if (!same)
        return error_set(err, ERROR_MODEL,
                         "'%s': tensor '%s' has another shape than this run's: they are of other sizes",
                         o->path, e->name);
    float *values = malloc((size_t)count * sizeof *values);
    if (!values) return error_set(err, ERROR_MEMORY, "out of memory for '%s'", e->name);
    dtype_convert(DTYPE_F32, values, t->type, t->data, count);
    bool ok = split_write_f32(s, e, 0, count, values, err);
    free(values);
    return ok;
}

bool ar_prior_start_from_model(store *s, const part_files *files, const clip_part *clip,
                               const char *clip_folder, const char *folder, error *err)
{
    start_file o = { .path = files->weights };
    bool ok = (o.file = safetensors_open_whole(files->weights, NULL, err)) &&
              check_clip(o.file, clip, clip_folder, folder, err);
    for (int i = 0; ok && i < store_count(s); ++i) {
        store_entry *e = store_at(s, i);
        if (e->kind == STORE_PARAMETER || e->kind == STORE_LEARNT) ok = start_entry(&o, s, e, err);
    }
    safetensors_close(o.file);
    return ok;
}

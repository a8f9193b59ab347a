/* embedding_file.c -- see embedding_file.h.
 * While the file is written, its values are asked for a piece at a time, and the pass runs on for as many
 * pictures as that takes: no more is held, however large the set.
 * SPDX-License-Identifier: MIT */
#include "app/cli/embedding_file.h"

#include "app/cli/pictures.h"
#include "data/safetensors.h"
#include "host/base/file.h"
#include "host/base/log.h"

#include <stdlib.h>
#include <string.h>

static const char format_key[] = "format", format_value[] = "dalle-cl embeddings 1", set_key[] = "set",
                  model_key[] = "model";

struct embedding_file {
    safetensors *file;
    const float *values;
};

bool embedding_origin_of(const dalle_model *model, const collection *pictures, embedding_origin *out,
                         error *err)
{
    dalle_error failure;
    *out = (embedding_origin){ .count = collection_count(pictures),
                               .dimensions = dalle_get_info(model)->clip_dimensions };
    return collection_hash(pictures, out->set, err) &&
           (dalle_clip_hash(model, out->model, &failure) || pictures_error(&failure, err));
}

/* ---- Reading ---- */

static bool is_equal(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* What the file's embeddings are not of, or NULL. */
static const char *other_than(const safetensors *file, const embedding_origin *of)
{
    const safetensors_tensor *t = safetensors_find(file, "embeddings");
    if (!is_equal(safetensors_metadata(file, model_key), of->model)) return "another CLIP";
    if (!is_equal(safetensors_metadata(file, set_key), of->set)) return "other pictures";
    if (!t || t->type != DTYPE_F32 || t->rank != 2 || t->dim[0] != of->count || t->dim[1] != of->dimensions)
        return "another number of pictures";
    return NULL;
}

bool embedding_file_open(const char *path, const embedding_origin *of, embedding_file **out, error *err)
{
    bool stated = false;
    *out = NULL;
    if (!file_exists(path)) return true;
    safetensors *file = safetensors_open_whole(path, &stated, err);
    if (!file) return error_prefix(err, "embeddings are not read, and the file is left as it is");
    const char *other = NULL;
    bool ours = is_equal(safetensors_metadata(file, format_key), format_value);
    if (!ours)
        error_set(err, ERROR_USAGE,
                  "'%s' is no file of embeddings, and is left as it is; name another, which need not be "
                  "there yet",
                  path);
    else if ((other = other_than(file, of)))
        log_warn("'%s' has embeddings of %s; it is made again", path, other);
    else if (!(*out = malloc(sizeof **out)))
        ours = error_set(err, ERROR_MEMORY, "out of memory for '%s'", path);
    if (*out)
        **out = (embedding_file){ file, safetensors_find(file, "embeddings")->data };
    else
        safetensors_close(file);
    return ours;
}

void embedding_file_close(embedding_file *f)
{
    if (!f) return;
    safetensors_close(f->file);
    free(f);
}

const float *embedding_file_values(const embedding_file *f)
{
    return f->values;
}

/* ---- Writing ---- */

/* Rows of some pictures, one after another; the last may reach into the next piece. */
typedef struct window {
    embedding_pass *p;
    float *rows;
    int64_t first, count; /* pictures */
    int dimensions;
} window;

static bool keep(void *context, int64_t index, const float *embedding, error *err)
{
    window *w = context;
    float *to = w->rows + (index - w->first) * w->dimensions;
    (void)err;
    if (embedding)
        memcpy(to, embedding, (size_t)w->dimensions * sizeof *to);
    else
        memset(to, 0, (size_t)w->dimensions * sizeof *to);
    w->count = index + 1 - w->first;
    return true;
}

static bool make_piece(void *of, int64_t first, int64_t count, void *values, error *err)
{
    window *w = of;
    int64_t n = w->dimensions, from = first / n, end = (first + count + n - 1) / n,
            known = w->first + w->count;
    if (w->count && from == known - 1) { /* begun in the piece before */
        memmove(w->rows, w->rows + (w->count - 1) * n, (size_t)n * sizeof *w->rows);
        w->count = 1;
    } else {
        w->count = 0;
        known = from;
    }
    w->first = from;
    if (!embedding_run(w->p, known, end, err)) return false;
    memcpy(values, w->rows + (first - from * n), (size_t)count * sizeof(float));
    return true;
}

/* All keys, each with its NUL, to be freed. */
static char *gather_keys(const collection *pictures, int64_t *bytes, error *err)
{
    size_t used = 0, room = 4096;
    char *keys = malloc(room);
    for (int64_t i = 0; keys && i < collection_count(pictures); ++i) {
        collection_item item;
        if (!collection_item_read(pictures, i, &item, err)) return free(keys), NULL;
        size_t length = strlen(item.sample.key) + 1;
        while (keys && used + length > room) {
            char *more = realloc(keys, room *= 2);
            if (!more) free(keys);
            keys = more;
        }
        if (keys) memcpy(keys + used, item.sample.key, length);
        used += length;
        dataset_sample_free(&item.sample);
    }
    *bytes = (int64_t)used;
    return keys ? keys : error_null(err, ERROR_MEMORY, "out of memory for the pictures' keys");
}

static bool describe(safetensors_writer *to, const embedding_origin *of, error *err)
{
    return safetensors_add_metadata(to, format_key, format_value, err) &&
           safetensors_add_metadata(to, set_key, of->set, err) &&
           safetensors_add_metadata(to, model_key, of->model, err) && safetensors_add_checksum(to, err);
}

bool embedding_file_write(const char *path, embedding_pass *p, const embedding_origin *of, error *err)
{
    const int64_t shape[2] = { of->count, of->dimensions };
    int64_t bytes = 0;
    window w = { .p = p, .dimensions = of->dimensions };
    safetensors_writer *to = safetensors_writer_create();
    char *keys = gather_keys(p->pictures, &bytes, err);
    p->take = keep;
    p->context = &w;
    w.rows = malloc((size_t)(SAFETENSORS_PIECE + 2 * of->dimensions) * sizeof *w.rows);
    bool ok = keys != NULL;
    if (ok && (!to || !w.rows)) ok = error_set(err, ERROR_MEMORY, "out of memory for '%s'", path);
    ok = ok && describe(to, of, err) &&
         safetensors_add_source(to, "embeddings", DTYPE_F32, 2, shape, make_piece, &w, err) &&
         safetensors_add(to, "keys", DTYPE_U8, 1, &bytes, keys, bytes, err) &&
         safetensors_write(to, path, err);
    safetensors_writer_destroy(to);
    free(w.rows);
    free(keys);
    return ok;
}

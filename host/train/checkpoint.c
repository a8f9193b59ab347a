/* checkpoint.c -- see checkpoint.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/checkpoint.h"

#include "data/safetensors.h"
#include "host/base/hash.h"
#include "host/base/json_tree.h"
#include "host/train/pieces.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_saved(const store_entry *e)
{
    return e->kind != STORE_CACHE && e->kind != STORE_SUM && e->kind != STORE_CONTROL &&
           e->kind != STORE_FIXED;
}

static bool is_exported(const store_entry *e)
{
    return e->kind == STORE_PARAMETER || e->kind == STORE_LEARNT;
}

/* ---- Writing ---------------------------------------------------------------------------------- */

/* An entry whose values go into a file: read from the device, and converted, when their turn comes. */
typedef struct source {
    store *store;
    const store_entry *entry;
    dtype type;  /* in the file */
    float *room; /* for a piece to be converted */
} source;

/* A file being put together, whose values stay on the device until they are written. */
typedef struct bundle {
    safetensors_writer *writer;
    source *sources;
    float *room;
    int count;
} bundle;

static bool bundle_start(bundle *b, const store *s, bool converts, const checkpoint_text *metadata, int count,
                         error *err)
{
    b->writer = safetensors_writer_create();
    b->sources = calloc((size_t)store_count(s) + 1, sizeof *b->sources);
    b->room = converts ? malloc(SAFETENSORS_PIECE * sizeof *b->room) : NULL;
    if (!b->writer || !b->sources || (converts && !b->room))
        return error_set(err, ERROR_MEMORY, "out of memory for a checkpoint");
    for (int i = 0; i < count; ++i)
        if (!safetensors_add_metadata(b->writer, metadata[i].key, metadata[i].value, err)) return false;
    return safetensors_add_checksum(b->writer, err);
}

static void bundle_free(bundle *b)
{
    free(b->room);
    free(b->sources);
    safetensors_writer_destroy(b->writer);
}

/* Under the name of `e`, the values of `entry`, as `type`. */
static bool bundle_add(bundle *b, store *s, const store_entry *e, const store_entry *entry, dtype type,
                       safetensors_source read, error *err)
{
    source *from = &b->sources[b->count++];
    int64_t dim[TENSOR_RANK_MAX];
    split_sizes(s, e, dim);
    *from = (source){ s, entry, type, b->room };
    return safetensors_add_source(b->writer, e->name, type, e->rank, dim, read, from, err);
}

static bool read_piece(void *of, int64_t first, int64_t count, void *values, error *err)
{
    const source *from = of;
    return pieces_read(from->store, from->entry, first, count, values, err);
}

/* The sum over all ranks, of whose errors each has its share (host/train/powersgd.h). */
static bool read_errors(void *of, int64_t first, int64_t count, void *values, error *err)
{
    const source *from = of;
    const float ranks = (float)store_ranks(from->store);
    float *sums = values;
    if (!pieces_read_f32(from->store, from->entry, first, count, sums, err)) return false;
    for (int64_t i = 0; i < count; ++i) sums[i] *= ranks;
    return true;
}

static dtype saved_type(const store_entry *e)
{
    return e->kind == STORE_ERROR ? DTYPE_F32 : e->type;
}

bool checkpoint_save(store *s, const char *path, const checkpoint_text *metadata, int count, error *err)
{
    bundle b = { 0 };
    bool ok = bundle_start(&b, s, false, metadata, count, err);
    for (int i = 0; ok && i < store_count(s); ++i) {
        const store_entry *e = store_at(s, i);
        safetensors_source read = e->kind == STORE_ERROR ? read_errors : read_piece;
        if (is_saved(e)) ok = bundle_add(&b, s, e, e, saved_type(e), read, err);
    }
    ok = ok && safetensors_write(b.writer, path, err);
    bundle_free(&b);
    return ok;
}

/* Converts values of elements `first` on; one that the type cannot hold is an error. */
static bool convert_checked(const store_entry *e, dtype type, int64_t first, int64_t count, void *out,
                            const float *values, error *err)
{
    dtype_convert(type, out, DTYPE_F32, values, count);
    for (int64_t i = 0; i < count; ++i) {
        if (!isfinite(values[i]))
            return error_set(err, ERROR_MODEL,
                             "'%s' holds a value that is not finite, at element %lld of %lld", e->name,
                             (long long)(first + i), (long long)e->count);
        if (!isfinite(dtype_load(type, out, i)))
            return error_set(err, ERROR_MODEL,
                             "'%s' holds %g at element %lld, more than %s can; export as F32", e->name,
                             (double)values[i], (long long)(first + i), dtype_name(type));
    }
    return true;
}

static bool read_converted(void *of, int64_t first, int64_t count, void *values, error *err)
{
    const source *from = of;
    return store_read_part_f32(from->store, from->entry, first, count, from->room, err) &&
           convert_checked(from->entry, from->type, first, count, values, from->room, err);
}

bool checkpoint_export(store *s, const char *path, bool averages, dtype type, const checkpoint_text *metadata,
                       int count, error *err)
{
    bundle b = { 0 };
    bool ok = bundle_start(&b, s, true, metadata, count, err);
    for (int i = 0; ok && i < store_count(s); ++i) {
        const store_entry *e = store_at(s, i), *average = averages ? store_kin(e, STORE_AVERAGE) : NULL;
        if (is_exported(e)) ok = bundle_add(&b, s, e, average ? average : e, type, read_converted, err);
    }
    ok = ok && safetensors_write(b.writer, path, err);
    bundle_free(&b);
    return ok;
}

static bool hash_entry(hash *h, store *s, const store_entry *e, float *values, uint16_t *halves, error *err)
{
    hash_text(h, e->name);
    hash_bytes(h, e->dim, (size_t)e->rank * sizeof *e->dim);
    for (int64_t first = 0, now; first < e->count; first += now) {
        now = e->count - first < STORE_PIECE ? e->count - first : STORE_PIECE;
        if (!store_read_part_f32(s, e, first, now, values, err)) return false;
        dtype_convert(DTYPE_F16, halves, DTYPE_F32, values, now);
        hash_bytes(h, halves, (size_t)now * sizeof *halves);
    }
    return true;
}

bool checkpoint_fingerprint(store *s, char hex[65], error *err)
{
    return checkpoint_fingerprint_of(s, "", hex, err);
}

bool checkpoint_fingerprint_of(store *s, const char *begin, char hex[65], error *err)
{
    hash h;
    hash_start(&h);
    float *values = malloc(STORE_PIECE * sizeof *values);
    uint16_t *halves = malloc(STORE_PIECE * sizeof *halves);
    bool ok =
        values && halves ? true : error_set(err, ERROR_MEMORY, "out of memory for a model's fingerprint");
    for (int i = 0; ok && i < store_count(s); ++i) {
        const store_entry *e = store_at(s, i);
        if (is_exported(e) && strncmp(e->name, begin, strlen(begin)) == 0)
            ok = hash_entry(&h, s, e, values, halves, err);
    }
    if (ok) hash_finish(&h, hex);
    free(values);
    free(halves);
    return ok;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

/* All metadata of a file, whose header safetensors_open has found good. */
static json_t *read_header(const char *path, error *err)
{
    FILE *in = fopen(path, "rbe");
    if (!in)
        return error_null(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot open '%s': %s", path,
                          strerror(errno));
    unsigned char length[8] = { 0 };
    uint64_t size = 0;
    json_t *header = NULL;
    json_tree_problem problem;
    if (fread(length, 1, sizeof length, in) == sizeof length) {
        for (int i = 7; i >= 0; --i) size = size << 8 | length[i];
        char *text = size < SIZE_MAX ? malloc((size_t)size + 1) : NULL;
        if (text && fread(text, 1, (size_t)size, in) == size)
            header = json_tree_read(text, (size_t)size, true, &problem);
        free(text);
    }
    bool failed = ferror(in) != 0;
    if (failed) error_set(err, ERROR_IO, "cannot read '%s': %s", path, strerror(errno));
    fclose(in);
    return header || failed ? header
                            : error_null(err, ERROR_MEMORY, "out of memory for the metadata of '%s'", path);
}

static bool copy_metadata(const char *path, checkpoint_metadata *out, error *err)
{
    *out = (checkpoint_metadata){ 0 };
    json_t *header = read_header(path, err), *all = json_object_get(header, "__metadata__"), *value;
    if (!header) return false;
    out->at = calloc(json_object_size(all) + 1, sizeof *out->at);
    bool ok = out->at != NULL;
    const char *key;
    if (ok) json_object_foreach(all, key, value)
        {
            if (strcmp(key, SAFETENSORS_SUM) == 0 ||
                strncmp(key, SAFETENSORS_TYPE, strlen(SAFETENSORS_TYPE)) == 0)
                continue; /* the file's own */
            checkpoint_text *one = &out->at[out->count++];
            one->key = strdup(key);
            one->value = strdup(json_string_value(value));
            ok = ok && one->key && one->value;
        }
    json_decref(header);
    if (ok) return true;
    checkpoint_metadata_free(out);
    return error_set(err, ERROR_MEMORY, "out of memory for the metadata of '%s'", path);
}

const char *checkpoint_metadata_get(const checkpoint_metadata *m, const char *key)
{
    for (int i = 0; i < m->count; ++i)
        if (strcmp(m->at[i].key, key) == 0) return m->at[i].value;
    return NULL;
}

void checkpoint_metadata_free(checkpoint_metadata *m)
{
    for (int i = 0; i < m->count; ++i) {
        free((void *)(uintptr_t)m->at[i].key);
        free((void *)(uintptr_t)m->at[i].value);
    }
    free(m->at);
    *m = (checkpoint_metadata){ 0 };
}

static void shape_text(char *text, size_t room, int rank, const int64_t *dim)
{
    size_t used = (size_t)snprintf(text, room, "[");
    for (int i = 0; i < rank && used < room; ++i)
        used += (size_t)snprintf(text + used, room - used, "%s%lld", i ? "," : "", (long long)dim[i]);
    if (used < room) snprintf(text + used, room - used, "]");
}

/* With `average`, the entry's moving average takes its place where the file has one. */
static const safetensors_tensor *find_tensor(const store *s, const safetensors *file, const char *path,
                                             const store_entry *e, bool average, error *err)
{
    const safetensors_tensor *t = NULL;
    if (average && e->kind == STORE_PARAMETER) {
        char name[STORE_NAME_MAX];
        store_kin_name(STORE_AVERAGE, e->name, name);
        t = safetensors_find(file, name);
    }
    if (!t) t = safetensors_find(file, e->name);
    if (!t) return error_null(err, ERROR_FORMAT, "'%s' lacks the tensor '%s'", path, e->name);
    int64_t dim[TENSOR_RANK_MAX];
    split_sizes(s, e, dim);
    bool same = t->rank == e->rank;
    for (int i = 0; same && i < e->rank; ++i) same = t->dim[i] == dim[i];
    if (same) return t;
    char found[160], wanted[160];
    shape_text(found, sizeof found, t->rank, t->dim);
    shape_text(wanted, sizeof wanted, e->rank, dim);
    return error_null(err, ERROR_FORMAT, "'%s': tensor '%s' is %s, the model's is %s", path, e->name, found,
                      wanted);
}

/* A tensor of the file that the store has no use for. */
static bool check_surplus(const store *s, const safetensors *file, const char *path,
                          bool (*wanted)(const store_entry *), error *err)
{
    for (int i = 0; i < safetensors_count(file); ++i) {
        const char *name = safetensors_at(file, i)->name;
        const store_entry *e = store_find(s, name);
        if (!e || !wanted(e))
            return error_set(err, ERROR_FORMAT, "'%s' holds a tensor '%s' that the model has not", path,
                             name);
    }
    return true;
}

bool checkpoint_verify(const char *path, error *err)
{
    bool stated;
    safetensors *file = safetensors_open_whole(path, &stated, err);
    const char *format = file ? safetensors_metadata(file, "format") : NULL;
    bool lost = format && strcmp(format, CHECKPOINT_FORMAT) == 0 && !stated;
    safetensors_close(file);
    if (lost) error_set(err, ERROR_FORMAT, "%s: damaged: its checksum is gone", path);
    return file && !lost;
}

static bool write_errors(store *s, store_entry *e, const safetensors_tensor *t, error *err)
{
    const float *sums = t->data, ranks = (float)store_ranks(s);
    const int64_t all = split_count(s, e), most = all < STORE_PIECE ? all : STORE_PIECE;
    float *values = malloc((size_t)most * sizeof *values + 1);
    bool ok = values ? true : error_set(err, ERROR_MEMORY, "out of memory for values of '%s'", e->name);
    for (int64_t first = 0, now; ok && first < all; first += now) {
        now = all - first < most ? all - first : most;
        for (int64_t i = 0; i < now; ++i) values[i] = sums[first + i] / ranks;
        ok = pieces_write_f32(s, e, first, now, values, err);
    }
    free(values);
    return ok;
}

static bool load_entry(store *s, store_entry *e, const safetensors_tensor *t, error *err)
{
    return e->kind == STORE_ERROR ? write_errors(s, e, t, err)
                                  : pieces_write(s, e, 0, split_count(s, e), t->data, err);
}

/* Everything is checked before anything is written, so that a refused file leaves the store as it was. */
static bool load_all(store *s, const safetensors *file, const char *path, error *err)
{
    for (int pass = 0; pass < 2; ++pass) {
        for (int i = 0; i < store_count(s); ++i) {
            store_entry *e = store_at(s, i);
            if (!is_saved(e)) continue;
            const safetensors_tensor *t = find_tensor(s, file, path, e, false, err);
            if (!t) return false;
            if (!t->loadable || t->type != saved_type(e))
                return error_set(err, ERROR_FORMAT, "'%s': tensor '%s' is stored as %s, the model's is %s",
                                 path, e->name, t->type_name, dtype_name(saved_type(e)));
            if (pass && !load_entry(s, e, t, err)) return false;
        }
    }
    return true;
}

bool checkpoint_load(store *s, const char *path, checkpoint_metadata *metadata, error *err)
{
    safetensors *file = safetensors_open(path, err);
    if (!file) return false;
    bool ok = check_surplus(s, file, path, is_saved, err) && load_all(s, file, path, err) &&
              (!metadata || copy_metadata(path, metadata, err));
    safetensors_close(file);
    return ok;
}

static bool import_entry(store *s, store_entry *e, const safetensors_tensor *t, const char *path, error *err)
{
    if (!t->loadable || dtype_is_float(t->type) != dtype_is_float(e->type))
        return error_set(err, ERROR_FORMAT, "'%s': tensor '%s' is stored as %s, which cannot become %s", path,
                         e->name, t->type_name, dtype_name(e->type));
    if (t->type == e->type) return store_write(s, e, t->data, err);
    int64_t most = e->count < STORE_PIECE ? e->count : STORE_PIECE;
    void *values = malloc((size_t)most * dtype_bytes(e->type) + 1);
    bool ok = values ? true : error_set(err, ERROR_MEMORY, "out of memory for values of '%s'", e->name);
    for (int64_t first = 0, now; ok && first < e->count; first += now) {
        now = e->count - first < most ? e->count - first : most;
        const char *stored = (const char *)t->data + first * (int64_t)dtype_bytes(t->type);
        dtype_convert(e->type, values, t->type, stored, now);
        ok = store_write_part(s, e, first, now, values, err);
    }
    free(values);
    return ok;
}

bool checkpoint_import(store *s, const char *path, bool surplus_ok, checkpoint_metadata *metadata, error *err)
{
    safetensors *file = safetensors_open_whole(path, NULL, err);
    if (!file) return false;
    bool ok = surplus_ok || check_surplus(s, file, path, is_exported, err);
    for (int i = 0; ok && i < store_count(s); ++i)
        if (is_exported(store_at(s, i)))
            ok = find_tensor(s, file, path, store_at(s, i), surplus_ok, err) != NULL;
    for (int i = 0; ok && i < store_count(s); ++i) {
        store_entry *e = store_at(s, i);
        if (is_exported(e))
            ok = import_entry(s, e, find_tensor(s, file, path, e, surplus_ok, err), path, err);
    }
    ok = ok && (!metadata || copy_metadata(path, metadata, err));
    safetensors_close(file);
    return ok;
}

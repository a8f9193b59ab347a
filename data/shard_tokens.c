/* shard_tokens.c -- see shard_tokens.h.
 * SPDX-License-Identifier: MIT */
#include "data/shard_tokens.h"
#include "data/safetensors.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM "dalle-cl tokens 1"

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for pictures' tokens");
}

static int64_t row_of(const shard_tokens_kind *k)
{
    return k->copies * k->side * k->side;
}

static int32_t check_of(const char *key)
{
    hash h;
    char hex[65];
    hash_start(&h);
    hash_bytes(&h, key, strlen(key));
    hash_finish(&h, hex);
    hex[8] = 0;
    return (int32_t)(uint32_t)strtoul(hex, NULL, 16);
}

/* ---- Writing ---- */

struct shard_tokens_writer {
    shard_tokens_kind kind;
    int32_t *tokens, *checks;
    int64_t count, room;
};

shard_tokens_writer *shard_tokens_writer_create(const shard_tokens_kind *k, error *err)
{
    shard_tokens_writer *w = calloc(1, sizeof *w);
    if (!w) return no_memory(err), NULL;
    w->kind = *k;
    return w;
}

void shard_tokens_writer_destroy(shard_tokens_writer *w)
{
    if (!w) return;
    free(w->tokens);
    free(w->checks);
    free(w);
}

bool shard_tokens_writer_add(shard_tokens_writer *w, const char *key, const int32_t *tokens, error *err)
{
    int64_t row = row_of(&w->kind);
    if (w->count == w->room) {
        int64_t room = w->room ? 2 * w->room : 256;
        int32_t *more = realloc(w->tokens, (size_t)(room * row) * sizeof *more);
        if (!more) return no_memory(err);
        w->tokens = more;
        if (!(more = realloc(w->checks, (size_t)room * sizeof *more))) return no_memory(err);
        w->checks = more;
        w->room = room;
    }
    memcpy(w->tokens + w->count * row, tokens, (size_t)row * sizeof *tokens);
    w->checks[w->count++] = check_of(key);
    return true;
}

bool shard_tokens_writer_seal(shard_tokens_writer *w, const char *stem, error *err)
{
    const shard_tokens_kind *k = &w->kind;
    char codes[32];
    snprintf(codes, sizeof codes, "%lld", (long long)k->codes);
    const int64_t dim[4] = { w->count, k->copies, k->side, k->side };
    int64_t bytes = w->count * (int64_t)sizeof(int32_t);
    char *path = malloc(strlen(stem) + sizeof ".safetensors");
    if (path) sprintf(path, "%s.safetensors", stem);
    safetensors_writer *file = path ? safetensors_writer_create() : NULL;
    bool ok = file ? true : no_memory(err);
    ok = ok && safetensors_add(file, "tokens", DTYPE_I32, 4, dim, w->tokens, bytes * row_of(k), err) &&
         safetensors_add(file, "check", DTYPE_I32, 1, dim, w->checks, bytes, err) &&
         safetensors_add_metadata(file, "format", FORM, err) &&
         safetensors_add_metadata(file, "origin", k->origin, err) &&
         safetensors_add_metadata(file, "codes", codes, err) &&
         safetensors_add_metadata(file, "how", k->how, err) && safetensors_write(file, path, err);
    safetensors_writer_destroy(file);
    free(path);
    w->count = 0;
    return ok;
}

/* ---- Reading ---- */

typedef struct part {
    safetensors *file;
    char *path;
    const int32_t *tokens, *checks;
    int64_t first, count; /* samples */
} part;

struct shard_tokens {
    shard_tokens_kind kind;
    part *parts;
    int count, room;
    int64_t samples;
    char *missing; /* the first shard without, or NULL */
};

void shard_tokens_close(shard_tokens *t)
{
    if (!t) return;
    for (int i = 0; i < t->count; ++i) {
        safetensors_close(t->parts[i].file);
        free(t->parts[i].path);
    }
    free(t->parts);
    free(t->missing);
    free(t);
}

static bool read_kind(const safetensors *file, const char *path, shard_tokens_kind *k, error *err)
{
    const char *form = safetensors_metadata(file, "format"), *origin = safetensors_metadata(file, "origin"),
               *codes = safetensors_metadata(file, "codes"), *how = safetensors_metadata(file, "how");
    const safetensors_tensor *tokens = safetensors_find(file, "tokens"),
                             *check = safetensors_find(file, "check");
    bool ok = form && strcmp(form, FORM) == 0 && origin && strlen(origin) == 64 && codes && how && tokens &&
              check && tokens->loadable && tokens->type == DTYPE_I32 && tokens->rank == 4 &&
              check->loadable && check->type == DTYPE_I32 && check->rank == 1 &&
              check->dim[0] == tokens->dim[0] && tokens->dim[2] == tokens->dim[3] && tokens->dim[1] > 0 &&
              tokens->dim[2] > 0;
    if (!ok)
        return error_set(err, ERROR_FORMAT, "%s: holds no tokens as 'data pack --tokens' writes them", path);
    *k = (shard_tokens_kind){ tokens->dim[2], strtoll(codes, NULL, 10), tokens->dim[1], "", "" };
    snprintf(k->origin, sizeof k->origin, "%s", origin);
    snprintf(k->how, sizeof k->how, "%s", how);
    return true;
}

static bool same_kind(const shard_tokens_kind *a, const shard_tokens_kind *b)
{
    return a->side == b->side && a->codes == b->codes && a->copies == b->copies &&
           strcmp(a->origin, b->origin) == 0 && strcmp(a->how, b->how) == 0;
}

/* Takes over `path`. */
static bool add_part(shard_tokens *t, char *path, error *err)
{
    shard_tokens_kind kind;
    if (t->count == t->room) {
        int room = t->room ? 2 * t->room : 16;
        part *more = realloc(t->parts, (size_t)room * sizeof *more);
        if (!more) return free(path), no_memory(err);
        t->parts = more;
        t->room = room;
    }
    part *p = &t->parts[t->count++];
    *p = (part){ .path = path, .first = t->samples };
    if (!(p->file = safetensors_open(path, err)) || !read_kind(p->file, path, &kind, err)) return false;
    if (t->count == 1) t->kind = kind;
    if (!same_kind(&kind, &t->kind))
        return error_set(err, ERROR_FORMAT,
                         "%s: its tokens were made otherwise than those of '%s'; pack all again", path,
                         t->parts[0].path);
    p->tokens = safetensors_find(p->file, "tokens")->data;
    p->checks = safetensors_find(p->file, "check")->data;
    p->count = safetensors_find(p->file, "tokens")->dim[0];
    t->samples += p->count;
    return true;
}

/* Length of the path without ".tar" and what follows, or 0: it is no shard's. */
static size_t stem_length(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *end = strstr(name, ".tar");
    bool whole = end && (end[4] == 0 || strcmp(end + 4, ".gz") == 0 || strcmp(end + 4, ".zst") == 0);
    return whole ? (size_t)(end - path) : 0;
}

static bool add_shard(shard_tokens *t, const char *path, error *err)
{
    size_t length = stem_length(path);
    char *name = malloc(length + sizeof ".safetensors");
    if (!name) return no_memory(err);
    memcpy(name, path, length);
    strcpy(name + length, ".safetensors");
    if (length && file_exists(name)) return add_part(t, name, err);
    free(name);
    if (t->missing) return true;
    return (t->missing = strdup(path)) != NULL || no_memory(err);
}

static int is_shard(const struct dirent *e)
{
    return *e->d_name != '.' && stem_length(e->d_name) > 0;
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static bool add_folder(shard_tokens *t, const char *path, error *err)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_shard, by_name);
    if (count < 0) return no_memory(err);
    bool ok = true;
    if (count == 0 && !t->missing) ok = (t->missing = strdup(path)) != NULL || no_memory(err);
    for (int i = 0; i < count; ++i) {
        char *inside = ok ? file_join(path, entries[i]->d_name) : NULL;
        if (ok) ok = inside ? add_shard(t, inside, err) : no_memory(err);
        free(inside);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool check_all(const shard_tokens *t, const dataset *d, error *err)
{
    if (t->missing)
        return error_set(err, ERROR_FORMAT, "'%s' has tokens beside it, '%s' has none; pack all again",
                         t->parts[0].path, t->missing);
    if (t->samples == dataset_count(d)) return true;
    return error_set(
        err, ERROR_FORMAT,
        "the tokens beside the shards are of %lld samples, the set has %lld (the first file is '%s'); "
        "pack it again",
        (long long)t->samples, (long long)dataset_count(d), t->parts[0].path);
}

bool shard_tokens_open(const dataset *d, shard_tokens **out, error *err)
{
    shard_tokens *t = *out = calloc(1, sizeof *t);
    bool ok = t ? true : no_memory(err);
    for (int i = 0; ok && i < dataset_source_count(d); ++i) {
        const char *path = dataset_source_at(d, i);
        ok = file_is_folder(path) ? add_folder(t, path, err) : add_shard(t, path, err);
    }
    if (ok && t->count > 0 && check_all(t, d, err)) return true;
    if (ok && t->count > 0) ok = false;
    shard_tokens_close(t);
    *out = NULL;
    return ok;
}

const shard_tokens_kind *shard_tokens_about(const shard_tokens *t)
{
    return &t->kind;
}

const char *shard_tokens_path(const shard_tokens *t)
{
    return t->parts[0].path;
}

void shard_tokens_hash(const shard_tokens *t, char hex[65])
{
    hash h;
    hash_start(&h);
    hash_text(&h, t->kind.origin);
    hash_text(&h, t->kind.how);
    for (int i = 0; i < t->count; ++i) {
        char size[64];
        snprintf(size, sizeof size, "%lld x %lld", (long long)t->parts[i].count, (long long)t->kind.copies);
        hash_text(&h, size);
    }
    hash_finish(&h, hex);
}

static const part *part_of(const shard_tokens *t, int64_t sample)
{
    int low = 0, high = t->count;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (t->parts[middle].first <= sample)
            low = middle;
        else
            high = middle;
    }
    return &t->parts[low];
}

bool shard_tokens_read(const shard_tokens *t, int64_t sample, const char *key, int64_t copy, int32_t *out,
                       error *err)
{
    CHECK(sample >= 0 && sample < t->samples && copy >= 0 && copy < t->kind.copies,
          "copy %lld of sample %lld", (long long)copy, (long long)sample);
    const part *p = part_of(t, sample);
    int64_t row = sample - p->first, n = t->kind.side * t->kind.side;
    if (p->checks[row] != check_of(key))
        return error_set(err, ERROR_FORMAT,
                         "%s: row %lld is not of sample '%s': the shard beside it has changed; pack it again",
                         p->path, (long long)row, key);
    memcpy(out, p->tokens + (row * t->kind.copies + copy) * n, (size_t)n * sizeof *out);
    for (int64_t i = 0; i < n; ++i)
        if (out[i] < 0 || out[i] >= t->kind.codes)
            return error_set(err, ERROR_FORMAT, "%s: a token of sample '%s' is %d; there are codes 0 to %lld",
                             p->path, key, (int)out[i], (long long)t->kind.codes - 1);
    return true;
}

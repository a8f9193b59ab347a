/* shard_writer.c -- see shard_writer.h.
 * SPDX-License-Identifier: MIT */
#include "data/shard_writer.h"
#include "data/picture_file.h"
#include "data/shard_text.h"
#include "data/tar_writer.h"
#include "host/base/arena.h"
#include "host/base/file.h"
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS 1024 /* buckets of a shard's keys at first */

typedef struct shard_key {
    struct shard_key *next;
    char text[];
} shard_key;

struct shard_writer {
    shard_options o;
    struct archive *tar; /* NULL: no shard is open */
    file_atomic file;
    char *path;
    arena *memory; /* of the shard's keys */
    shard_key *keys[KEYS];
    int64_t samples, bytes, shards, all;
};

static const char *ending_of(shard_packing packing)
{
    return packing == SHARD_GZIP ? ".tar.gz" : packing == SHARD_ZSTD ? ".tar.zst" : ".tar";
}

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for a shard");
}

/* ---- The folder ---- */

static bool is_shard(const char *name)
{
    return strncmp(name, "shard-", 6) == 0 && (strstr(name, ".tar") || strstr(name, ".safetensors"));
}

static bool clear(const shard_options *o, error *err)
{
    DIR *folder = opendir(o->folder);
    if (!folder) return error_set(err, ERROR_IO, "cannot list '%s': %s", o->folder, strerror(errno));
    bool ok = true;
    for (struct dirent *e; ok && (e = readdir(folder));) {
        if (!is_shard(e->d_name)) continue;
        char *path = o->replace ? file_join(o->folder, e->d_name) : NULL;
        if (!o->replace)
            ok = error_set(err, ERROR_USAGE,
                           "'%s' holds shards already, such as '%s'; name another folder, or add --force to "
                           "replace them",
                           o->folder, e->d_name);
        else
            ok = path ? unlink(path) == 0 ||
                            error_set(err, ERROR_IO, "cannot remove '%s': %s", path, strerror(errno))
                      : no_memory(err);
        free(path);
    }
    closedir(folder);
    return ok;
}

shard_writer *shard_writer_open(const shard_options *o, error *err)
{
    if (!file_make_folders(o->folder, err) || !clear(o, err)) return NULL;
    shard_writer *w = calloc(1, sizeof *w);
    if (!w) return no_memory(err), NULL;
    w->o = *o;
    return w;
}

/* ---- A shard ---- */

static bool failed(const shard_writer *w, error *err)
{
    return tar_writer_failed(w->tar, w->path, err);
}

/* GNU's form takes names of any length and bytes as they are. */
static bool set_form(const shard_writer *w)
{
    struct archive *a = w->tar;
    if (w->o.packing != SHARD_PLAIN)
        archive_write_set_bytes_in_last_block(a, 1); /* zeros behind are no zstd */
    if (archive_write_set_format_gnutar(a) != ARCHIVE_OK) return false;
    if (w->o.packing == SHARD_ZSTD && archive_write_add_filter_zstd(a) != ARCHIVE_OK) return false;
    if (w->o.packing == SHARD_GZIP &&
        (archive_write_add_filter_gzip(a) != ARCHIVE_OK ||
         archive_write_set_filter_option(a, "gzip", "timestamp", NULL) != ARCHIVE_OK))
        return false;
    return true;
}

static bool begin(shard_writer *w, error *err)
{
    char name[64];
    snprintf(name, sizeof name, "shard-%06lld%s", (long long)w->shards, ending_of(w->o.packing));
    free(w->path);
    w->path = file_join(w->o.folder, name);
    w->memory = arena_create();
    memset(w->keys, 0, sizeof w->keys);
    w->samples = w->bytes = 0;
    if (!w->path || !w->memory) return no_memory(err);
    if (!file_atomic_open(&w->file, w->path, err)) return false;
    w->tar = archive_write_new();
    if (w->tar && set_form(w) && archive_write_open_FILE(w->tar, w->file.stream) == ARCHIVE_OK) return true;
    return failed(w, err);
}

static void give_up(shard_writer *w)
{
    archive_write_free(w->tar);
    w->tar = NULL;
    file_atomic_abandon(&w->file);
    arena_destroy(w->memory);
    w->memory = NULL;
}

static bool seal(shard_writer *w, error *err)
{
    char *stem = strndup(w->path, strlen(w->path) - strlen(ending_of(w->o.packing)));
    bool ok = stem ? true : no_memory(err);
    if (ok && archive_write_close(w->tar) != ARCHIVE_OK) ok = failed(w, err);
    archive_write_free(w->tar);
    w->tar = NULL;
    ok = ok && (!w->o.sealed || w->o.sealed(w->o.context, stem, err)) && file_atomic_commit(&w->file, err);
    free(stem);
    if (ok) ++w->shards;
    give_up(w);
    return ok;
}

/* ---- A sample ---- */

static bool is_taken(const shard_writer *w, const char *key, unsigned bucket)
{
    for (const shard_key *k = w->keys[bucket]; k; k = k->next)
        if (strcmp(k->text, key) == 0) return true;
    return false;
}

static unsigned bucket_of(const char *key)
{
    unsigned h = 2166136261u;
    for (; *key; ++key) h = (h ^ (unsigned char)*key) * 16777619u;
    return h % KEYS;
}

/* The key as members are named by it; NULL when memory is out. */
static const char *choose_key(shard_writer *w, const char *wanted)
{
    while (*wanted == '/' || strncmp(wanted, "./", 2) == 0 || strncmp(wanted, "../", 3) == 0)
        wanted += strcspn(wanted, "/") + 1; /* nothing unpacks outside its folder */
    size_t length = strlen(wanted);
    shard_key *k = arena_alloc(w->memory, sizeof *k + length + 24);
    if (!k) return NULL;
    memcpy(k->text, wanted, length + 1);
    char *slash = strrchr(k->text, '/');
    for (char *c = slash ? slash + 1 : k->text; *c; ++c)
        if (*c == '.') *c = '_';
    unsigned bucket = bucket_of(k->text);
    for (int again = 2; is_taken(w, k->text, bucket); ++again) {
        snprintf(k->text + length, 24, "~%d", again);
        bucket = bucket_of(k->text);
    }
    k->next = w->keys[bucket];
    w->keys[bucket] = k;
    return k->text;
}

static bool add_member(shard_writer *w, const char *key, const char *ending, const void *bytes, size_t size,
                       error *err)
{
    struct archive_entry *entry = archive_entry_new();
    char *name = malloc(strlen(key) + strlen(ending) + 2);
    bool ok = entry && name;
    if (ok) {
        snprintf(name, strlen(key) + strlen(ending) + 2, "%s.%s", key, ending);
        archive_entry_set_pathname(entry, name);
        archive_entry_set_size(entry, (la_int64_t)size);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_mtime(entry, 0, 0);
        ok = archive_write_header(w->tar, entry) == ARCHIVE_OK &&
             archive_write_data(w->tar, bytes, size) == (la_ssize_t)size;
    }
    archive_entry_free(entry);
    free(name);
    w->bytes += (int64_t)size;
    return ok || failed(w, err);
}

static bool add_all(shard_writer *w, const char *key, const shard_sample *s, const shard_text *t, error *err)
{
    return (!s->picture || add_member(w, key, picture_file_ending(s->picture, s->picture_bytes), s->picture,
                                      s->picture_bytes, err)) &&
           (!t->caption || add_member(w, key, "txt", t->caption, strlen(t->caption), err)) &&
           (!t->details || add_member(w, key, "json", t->details, strlen(t->details), err));
}

static bool is_full(const shard_writer *w, int64_t more)
{
    return (w->o.samples > 0 && w->samples >= w->o.samples) ||
           (w->o.bytes > 0 && w->samples > 0 && w->bytes + more > w->o.bytes);
}

bool shard_writer_add(shard_writer *w, const shard_sample *s, const char **key, error *err)
{
    shard_text t;
    if (!shard_text_make(s, &t, err)) return false;
    int64_t more = (int64_t)(s->picture_bytes + (t.caption ? strlen(t.caption) : 0) +
                             (t.details ? strlen(t.details) : 0));
    bool ok = !w->tar || !is_full(w, more) || seal(w, err);
    ok = ok && (w->tar || begin(w, err));
    const char *chosen = ok ? choose_key(w, s->key) : NULL;
    if (ok && !chosen) ok = no_memory(err);
    ok = ok && add_all(w, chosen, s, &t, err);
    shard_text_free(&t);
    if (!ok) return false;
    ++w->samples;
    ++w->all;
    if (key) *key = chosen;
    return true;
}

bool shard_writer_close(shard_writer *w, int64_t *samples, int64_t *shards, error *err)
{
    bool ok = !w->tar || seal(w, err);
    if (samples) *samples = w->all;
    if (shards) *shards = w->shards;
    shard_writer_abandon(w);
    return ok;
}

void shard_writer_abandon(shard_writer *w)
{
    if (!w) return;
    give_up(w);
    free(w->path);
    free(w);
}

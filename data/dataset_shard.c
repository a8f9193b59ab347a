/* dataset_shard.c -- see dataset_shard.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_shard.h"
#include "data/dataset_copy.h"
#include "data/dataset_sample.h"
#include "data/dataset_tar_name.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_HEADER (1 << 17) /* bytes before a member that say its name, at most */

bool shard_open(shards *s, const dataset_index *index, const char *const *paths, files *f, error *err)
{
    *s = (shards){ index, paths, f, streams_create(paths, STREAMS_KEPT, err) };
    return s->streams != NULL;
}

void shard_close(shards *s)
{
    streams_destroy(s->streams);
    *s = (shards){ 0 };
}

/* One sample's way: which tar it is in, open unless it is compressed. */
typedef struct place {
    const shards *of;
    const index_entry *entry;
    const index_shard *shard;
    int tar, file;
} place;

static bool check_fresh(const place *p, error *err)
{
    struct stat about;
    const char *path = p->of->paths[p->tar];
    if ((p->shard->packed ? stat(path, &about) : fstat(p->file, &about)) != 0)
        return error_set(err, ERROR_IO, "cannot look at '%s': %s", path, strerror(errno));
    return index_is_fresh(p->shard, &about) ||
           error_set(err, ERROR_IO, "%s: has changed since the set was opened; start again", path);
}

static void leave(const place *p)
{
    if (p->file >= 0) files_give(p->of->files, p->tar);
}

static bool enter(const shards *s, int64_t sample, place *p, error *err)
{
    int64_t shard = index_shard_of(s->index, sample);
    *p = (place){ s, index_entries(s->index) + sample, index_shard_at(s->index, shard), (int)shard, -1 };
    if (!p->shard->packed && (p->file = files_take(s->files, p->tar, err)) < 0) return false;
    if (check_fresh(p, err)) return true;
    leave(p);
    return false;
}

static char *read_bytes(const place *p, uint32_t block, uint32_t size, error *err)
{
    int64_t at = (int64_t)block * INDEX_BLOCK;
    const char *path = p->of->paths[p->tar];
    if (p->shard->packed) return streams_read(p->of->streams, p->tar, at, size, err);
    char *bytes = malloc((size_t)size + 1);
    if (!bytes) return error_null(err, ERROR_MEMORY, "no memory to read '%s'", path);
    bytes[size] = 0;
    if (source_read(p->file, at, size, bytes, path, err)) return bytes;
    free(bytes);
    return NULL;
}

/* ---- The key ---- */

/* The name in the headers that begin there, as libarchive reads them. */
static char *name_in(const place *p, const void *headers, size_t size, error *err)
{
    struct archive *tar = archive_read_new();
    struct archive_entry *entry;
    const char *path = p->of->paths[p->tar];
    if (!tar) return error_null(err, ERROR_MEMORY, "no memory to read '%s'", path);
    archive_read_support_format_tar(tar);
    /* The end of one of several that were joined may come first. */
    archive_read_set_option(tar, "tar", "read_concatenated_archives", "1");
    char *name = NULL;
    int code = archive_read_open_memory(tar, headers, size);
    if (code == ARCHIVE_OK) code = archive_read_next_header(tar, &entry);
    bool found = code == ARCHIVE_OK || code == ARCHIVE_WARN;
    if (!found)
        error_set(err, ERROR_FORMAT, "%s: has no member at byte %lld any more", path,
                  (long long)p->entry->head * INDEX_BLOCK);
    else if (!(name = tar_name(entry)))
        error_set(err, ERROR_MEMORY, "no memory to read '%s'", path);
    archive_read_free(tar);
    return name;
}

/* To be freed. */
static char *read_name(const place *p, error *err)
{
    int64_t at = (int64_t)p->entry->head * INDEX_BLOCK;
    int64_t size = (int64_t)p->entry->picture * INDEX_BLOCK - at;
    if (p->shard->packed) return streams_name(p->of->streams, p->tar, at, err);
    /* A link's picture lies elsewhere. */
    if (size <= 0 || size > MOST_HEADER) size = MOST_HEADER;
    if (size > p->shard->bytes - at) size = p->shard->bytes - at;
    char *headers = size > 0 ? malloc((size_t)size) : NULL, *name = NULL;
    if (!headers)
        error_set(err, ERROR_MEMORY, "no memory to read '%s'", p->of->paths[p->tar]);
    else if (source_read(p->file, at, size, headers, p->of->paths[p->tar], err))
        name = name_in(p, headers, (size_t)size, err);
    free(headers);
    return name;
}

static bool read_key(const place *p, arena *memory, const char **key, error *err)
{
    char *name = read_name(p, err);
    if (!name) return false;
    char *copy = arena_strdup(memory, name), *slash = copy ? strrchr(copy, '/') : NULL,
         *base = slash ? slash + 1 : copy;
    free(name);
    if (!copy) return error_set(err, ERROR_MEMORY, "no memory to read a sample's name");
    char *dot = p->entry->flags & INDEX_STEM ? strchr(base, '.') : strrchr(base, '.');
    if (dot) *dot = 0;
    if (index_hash(*key = copy) == p->entry->key) return true;
    return error_set(err, ERROR_FORMAT, "%s: holds '%s' where the set's index has another sample",
                     p->of->paths[p->tar], copy);
}

/* ---- The texts ---- */

static bool take_text(const place *p, arena *memory, member_kind kind, dataset_sample *out, error *err)
{
    const index_entry *e = p->entry;
    bool caption = kind == MEMBER_CAPTION;
    uint32_t size = caption ? e->caption_bytes : e->details_bytes;
    bool long_one = size > source_limit(kind); /* is not read, as when it was listed */
    char *text = long_one ? NULL : read_bytes(p, caption ? e->caption : e->details, size, err);
    if (!text && !long_one) return false;
    const sample_reader r = { .memory = memory, .path = p->of->paths[p->tar], .err = err };
    const member m = { .name = out->key, .key = out->key, .text = text, .size = size, .kind = kind };
    bool done = caption ? sample_take_captions(&r, &m, out) : sample_take_details(&r, &m, out);
    free(text);
    return done;
}

bool shard_read(const shards *s, int64_t sample, dataset_sample *out, error *err)
{
    place p;
    const char *key = NULL;
    *out = (dataset_sample){ 0 };
    if (!enter(s, sample, &p, err)) return false;
    arena *memory = arena_create();
    bool done = memory ? read_key(&p, memory, &key, err)
                       : error_set(err, ERROR_MEMORY, "no memory for a sample of the data set");
    dataset_sample read = sample_blank(key);
    if (done && p.entry->flags & INDEX_HAS_CAPTION) done = take_text(&p, memory, MEMBER_CAPTION, &read, err);
    if (done && p.entry->flags & INDEX_HAS_DETAILS) done = take_text(&p, memory, MEMBER_DETAILS, &read, err);
    done = done && sample_copy(&read, out, err);
    arena_destroy(memory);
    leave(&p);
    return done;
}

bool shard_details(const shards *s, int64_t sample, char **details, error *err)
{
    place p;
    *details = NULL;
    if (!enter(s, sample, &p, err)) return false;
    const index_entry *e = p.entry;
    bool any = e->flags & INDEX_HAS_DETAILS && e->details_bytes <= source_limit(MEMBER_DETAILS);
    if (any) *details = read_bytes(&p, e->details, e->details_bytes, err);
    leave(&p);
    return *details || !any;
}

char *shard_picture(const shards *s, int64_t sample, size_t *size, error *err)
{
    place p;
    if (!enter(s, sample, &p, err)) return NULL;
    char *bytes = read_bytes(&p, p.entry->picture, p.entry->picture_bytes, err);
    *size = p.entry->picture_bytes;
    leave(&p);
    return bytes;
}

void shard_picture_name(const shards *s, int64_t sample, char name[512])
{
    place p;
    bool in = enter(s, sample, &p, NULL);
    char *member_name = in ? read_name(&p, NULL) : NULL;
    snprintf(name, 512, "%.250s: picture '%.200s'", s->paths[index_shard_of(s->index, sample)],
             member_name ? member_name : "?");
    if (in) leave(&p);
    free(member_name);
}

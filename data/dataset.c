/* dataset.c -- pairs pictures with captions, and reads pictures on demand.
 * SPDX-License-Identifier: MIT */
#include "data/dataset.h"
#include "data/dataset_pair.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dataset {
    arena *memory;
    const char **paths; /* of the sources */
    int *files;         /* of those that are tars, else -1 */
    int source_count;
    pair_item *items;
    int64_t count;
    const char **left_out;
    int64_t left_out_count;
    image_reading reading;
};

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for the data set");
}

/* The list's notes become the set's; the first is said, all are in 'data info'. */
static void keep_left_out(dataset *d, member_list *list)
{
    d->left_out = list->left_out;
    d->left_out_count = list->left_out_count;
    list->left_out = NULL;
    if (d->left_out_count > 0)
        log_warn("%lld files of the data set, or parts of them, are left out, which 'dalle-cl data info' "
                 "lists; the first is %s",
                 (long long)d->left_out_count, d->left_out[0]);
}

static bool pair(dataset *d, member_list *list, bool need_captions, error *err)
{
    pairing p = { .paths = d->paths, .need_captions = need_captions, .list = list, .err = err };
    bool done = pair_members(&p);
    d->items = p.items;
    d->count = p.count;
    if (done) keep_left_out(d, list);
    return done;
}

dataset *dataset_open(const char *const *paths, int count, bool need_captions, error *err)
{
    if (count < 1) return error_null(err, ERROR_USAGE, "no data set is given; name a tar or a folder");
    dataset *d = calloc(1, sizeof *d);
    if (!d) return no_memory(err), NULL;
    d->reading = IMAGE_READING_DEFAULT;
    member_list list = { 0 };
    bool done = true;
    d->memory = list.memory = arena_create();
    d->paths = calloc((size_t)count, sizeof *d->paths);
    d->files = malloc((size_t)count * sizeof *d->files);
    if (!d->memory || !d->paths || !d->files) done = no_memory(err);
    list.paths = count > 1 ? d->paths : NULL;
    list.lenient = count > 1; /* of a hundred shards one that is cut does not stop the others */
    done = done && (d->reading.profiles = image_profiles_create(err));
    for (int i = 0; done && i < count; ++i) {
        d->files[i] = -1;
        d->paths[i] = arena_strdup(d->memory, paths[i]);
        d->source_count = i + 1;
        done = d->paths[i] ? source_list(&list, d->paths[i], i, &d->files[i], err) : no_memory(err);
    }
    done = done && pair(d, &list, need_captions, err);
    source_free(&list);
    if (done) return d;
    dataset_close(d);
    return NULL;
}

void dataset_close(dataset *d)
{
    if (!d) return;
    for (int i = 0; i < d->source_count; ++i)
        if (d->files[i] >= 0) close(d->files[i]);
    free(d->paths);
    free(d->files);
    free(d->items);
    free(d->left_out);
    image_profiles_destroy(d->reading.profiles);
    arena_destroy(d->memory);
    free(d);
}

int64_t dataset_left_out(const dataset *d)
{
    return d->left_out_count;
}

const char *dataset_left_out_at(const dataset *d, int64_t i)
{
    CHECK(i >= 0 && i < d->left_out_count, "file %lld of %lld left out", (long long)i,
          (long long)d->left_out_count);
    return d->left_out[i];
}

int64_t dataset_count(const dataset *d)
{
    return d->count;
}

const dataset_sample *dataset_at(const dataset *d, int64_t index)
{
    CHECK(index >= 0 && index < d->count, "sample %lld of %lld", (long long)index, (long long)d->count);
    return &d->items[index].sample;
}

int64_t dataset_find(const dataset *d, const char *key)
{
    for (int64_t i = 0; i < d->count; ++i)
        if (strcmp(d->items[i].sample.key, key) == 0) return i;
    return -1;
}

void dataset_set_reading(dataset *d, const image_reading *how)
{
    image_profiles *kept = d->reading.profiles;
    d->reading = *how;
    d->reading.profiles = kept;
}

static bool read_in_place(const dataset *d, const member *m, const char *name, image *out, error *err)
{
    unsigned char *bytes = malloc((size_t)m->size + 1);
    if (!bytes) return error_set(err, ERROR_MEMORY, "%s: no memory to read it", name);
    bool done = source_read(d->files[m->source], m->offset, m->size, bytes, name, err) &&
                image_decode_as(bytes, (size_t)m->size, name, &d->reading, out, err);
    free(bytes);
    return done;
}

bool dataset_read_picture(const dataset *d, int64_t index, image *out, error *err)
{
    CHECK(index >= 0 && index < d->count, "sample %lld of %lld", (long long)index, (long long)d->count);
    const member *m = &d->items[index].picture;
    *out = (image){ 0 };
    if (m->path && m->size > SOURCE_MAX_PICTURE)
        return error_set(err, ERROR_FORMAT, "%s: has %lld bytes; at most %d are read", m->path,
                         (long long)m->size, SOURCE_MAX_PICTURE);
    if (m->path) return image_read_as(m->path, &d->reading, out, err);
    char name[512];
    snprintf(name, sizeof name, "%.250s: picture '%.200s'", d->paths[m->source], m->name);
    if (m->bytes) return image_decode_as(m->bytes, (size_t)m->size, name, &d->reading, out, err);
    return read_in_place(d, m, name, out, err);
}

bool dataset_read_bytes(const dataset *d, int64_t index, void **bytes, size_t *size, error *err)
{
    CHECK(index >= 0 && index < d->count, "sample %lld of %lld", (long long)index, (long long)d->count);
    const member *m = &d->items[index].picture;
    if (m->size > SOURCE_MAX_PICTURE)
        return error_set(err, ERROR_FORMAT, "%s: has %lld bytes; at most %d are read", m->name,
                         (long long)m->size, SOURCE_MAX_PICTURE);
    if (m->path) return (*bytes = file_read(m->path, size, err)) != NULL;
    *size = (size_t)m->size;
    *bytes = malloc(*size + 1);
    if (!*bytes) return error_set(err, ERROR_MEMORY, "%s: no memory to read it", m->name);
    if (m->bytes) return memcpy(*bytes, m->bytes, *size), true;
    if (source_read(d->files[m->source], m->offset, m->size, *bytes, m->name, err)) return true;
    free(*bytes);
    *bytes = NULL;
    return false;
}

const char *dataset_details(const dataset *d, int64_t index)
{
    CHECK(index >= 0 && index < d->count, "sample %lld of %lld", (long long)index, (long long)d->count);
    return d->items[index].details;
}

int dataset_source_count(const dataset *d)
{
    return d->source_count;
}

const char *dataset_source_at(const dataset *d, int i)
{
    CHECK(i >= 0 && i < d->source_count, "source %d of %d", i, d->source_count);
    return d->paths[i];
}

/* Nothing for a sample that has one caption and comes once, so that a set without either keeps its hash. */
static void hash_extras(hash *h, const dataset_sample *s)
{
    for (int i = 1; i < s->caption_count; ++i) {
        hash_text(h, "caption");
        hash_text(h, s->captions[i]);
    }
    if (s->repeat == 1) return;
    char times[32];
    snprintf(times, sizeof times, "repeat %d", s->repeat);
    hash_text(h, times);
}

void dataset_hash(const dataset *d, char hex[65])
{
    hash h;
    hash_start(&h);
    for (int64_t i = 0; i < d->count; ++i) {
        char size[32];
        snprintf(size, sizeof size, "%lld", (long long)d->items[i].picture.size);
        hash_text(&h, d->items[i].sample.key);
        hash_text(&h, d->items[i].sample.caption);
        hash_text(&h, size);
        hash_extras(&h, &d->items[i].sample);
    }
    hash_finish(&h, hex);
}

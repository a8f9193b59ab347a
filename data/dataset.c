/* dataset.c -- pairs pictures with captions, and reads pictures on demand.
 * SPDX-License-Identifier: MIT */
#include "data/dataset.h"
#include "data/dataset_sample.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct source {
    const char *path;
    int file; /* of a tar, else -1 */
} source;

typedef struct item {
    dataset_sample sample;
    member picture;
} item;

struct dataset {
    arena *memory;
    source *sources;
    int source_count;
    item *items;
    int64_t count;
};

/* While a set is being opened: what does not fit together, summed up into one message. */
typedef struct pairing {
    dataset *d;
    bool need_captions;
    int64_t lonely_pictures, lonely_captions;
    const member *first_picture, *first_caption;
    error *err;
} pairing;

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for the data set");
}

static const char *source_path(const dataset *d, const member *m)
{
    return d->sources[m->source].path;
}

static int by_key(const void *left, const void *right)
{
    const member *a = left, *b = right;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    int order = strcmp(a->key, b->key);
    if (order) return order;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static int by_order(const void *left, const void *right)
{
    const item *a = left, *b = right;
    return (a->picture.order > b->picture.order) - (a->picture.order < b->picture.order);
}

/* `items` are the members of one key, the picture first. */
static bool take_sample(pairing *p, const member *items, int64_t count)
{
    for (int64_t i = 1; i < count; ++i)
        if (items[i].kind == items[i - 1].kind)
            return error_set(p->err, ERROR_FORMAT, "%s: has two %s named '%s'", source_path(p->d, items),
                             items[i].kind == MEMBER_PICTURE   ? "pictures"
                             : items[i].kind == MEMBER_CAPTION ? "captions"
                                                               : "descriptions",
                             items[i].key);
    if (items[0].kind == MEMBER_DETAILS) return true;
    if (items[0].kind == MEMBER_CAPTION) {
        if (p->lonely_captions++ == 0) p->first_caption = items;
        return true;
    }
    const sample_reader r = { p->d->memory, source_path(p->d, items), p->err };
    dataset_sample sample = sample_blank(items[0].key);
    bool captioned = count > 1 && items[1].kind == MEMBER_CAPTION;
    bool detailed = count > 1 && items[count - 1].kind == MEMBER_DETAILS;
    if (captioned && !sample_take_captions(&r, &items[1], &sample)) return false;
    if (detailed && !sample_take_details(&r, &items[count - 1], &sample)) return false;
    if (captioned && !sample.caption_count && p->need_captions)
        return error_set(p->err, ERROR_FORMAT, "%s: the caption of '%s' is empty", r.path, sample.key);
    if (!sample.caption_count && p->lonely_pictures++ == 0) p->first_picture = items;
    p->d->items[p->d->count++] = (item){ sample, items[0] };
    return true;
}

static bool check_pairs(const pairing *p)
{
    if (p->lonely_captions)
        return error_set(
            p->err, ERROR_FORMAT, "%s: %lld of its captions have no picture, the first is '%s.txt'",
            source_path(p->d, p->first_caption), (long long)p->lonely_captions, p->first_caption->key);
    if (p->lonely_pictures && p->need_captions)
        return error_set(p->err, ERROR_FORMAT,
                         "%s: %lld of %lld pictures have no caption, the first is '%s'; put it into '%s.txt'",
                         source_path(p->d, p->first_picture), (long long)p->lonely_pictures,
                         (long long)p->d->count, p->first_picture->key, p->first_picture->key);
    if (p->d->count == 0)
        return error_set(p->err, ERROR_FORMAT,
                         "%s: holds no picture (KEY.png, KEY.jpg) with a caption (KEY.txt)",
                         p->d->sources[0].path);
    return true;
}

/* Members are sorted by key to be paired; the samples then stand in the order of the files. */
static bool pair(dataset *d, member_list *list, bool need_captions, error *err)
{
    pairing p = { .d = d, .need_captions = need_captions, .err = err };
    d->items = calloc((size_t)list->count + 1, sizeof *d->items);
    if (!d->items) return no_memory(err);
    if (list->count) qsort(list->items, (size_t)list->count, sizeof *list->items, by_key);
    for (int64_t first = 0, end; first < list->count; first = end) {
        const member *m = &list->items[first];
        for (end = first + 1; end < list->count; ++end)
            if (list->items[end].source != m->source || strcmp(list->items[end].key, m->key) != 0) break;
        if (!take_sample(&p, m, end - first)) return false;
    }
    if (!check_pairs(&p)) return false;
    qsort(d->items, (size_t)d->count, sizeof *d->items, by_order);
    return true;
}

static bool list_source(dataset *d, int i, member_list *list, error *err)
{
    source *s = &d->sources[i];
    if (file_is_folder(s->path)) return source_folder(list, s->path, i, err);
    s->file = open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->file < 0) return error_set(err, ERROR_IO, "cannot open '%s': %s", s->path, strerror(errno));
    return source_tar(list, s->path, s->file, i, err);
}

dataset *dataset_open(const char *const *paths, int count, bool need_captions, error *err)
{
    if (count < 1) return error_null(err, ERROR_USAGE, "no data set is given; name a tar or a folder");
    dataset *d = calloc(1, sizeof *d);
    if (!d) return no_memory(err), NULL;
    member_list list = { 0 };
    bool done = true;
    d->memory = list.memory = arena_create();
    d->sources = calloc((size_t)count, sizeof *d->sources);
    if (!d->memory || !d->sources) done = no_memory(err);
    for (int i = 0; done && i < count; ++i) {
        d->sources[i].file = -1;
        d->sources[i].path = arena_strdup(d->memory, paths[i]);
        d->source_count = i + 1;
        done = d->sources[i].path ? list_source(d, i, &list, err) : no_memory(err);
    }
    done = done && pair(d, &list, need_captions, err);
    free(list.items);
    if (done) return d;
    dataset_close(d);
    return NULL;
}

void dataset_close(dataset *d)
{
    if (!d) return;
    for (int i = 0; i < d->source_count; ++i)
        if (d->sources[i].file >= 0) close(d->sources[i].file);
    free(d->sources);
    free(d->items);
    arena_destroy(d->memory);
    free(d);
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

static bool read_in_place(int file, const member *m, const char *name, image *out, error *err)
{
    unsigned char *bytes = malloc((size_t)m->size + 1);
    if (!bytes) return error_set(err, ERROR_MEMORY, "%s: no memory to read it", name);
    bool done = true;
    for (int64_t got = 0; done && got < m->size;) {
        ssize_t part = pread(file, bytes + got, (size_t)(m->size - got), (off_t)(m->offset + got));
        if (part < 0 && errno == EINTR) continue;
        if (part <= 0)
            done = error_set(err, ERROR_IO, "%s: cannot be read: %s", name,
                             part ? strerror(errno) : "the file got shorter");
        got += part;
    }
    done = done && image_decode(bytes, (size_t)m->size, name, out, err);
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
    if (m->path) return image_read(m->path, out, err);
    char name[512];
    snprintf(name, sizeof name, "%.250s: picture '%.200s'", source_path(d, m), m->key);
    if (m->bytes) return image_decode(m->bytes, (size_t)m->size, name, out, err);
    return read_in_place(d->sources[m->source].file, m, name, out, err);
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

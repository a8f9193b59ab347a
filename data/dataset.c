/* dataset.c -- opens sets, held in memory or large, and reads their samples.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_build.h"
#include "data/dataset_copy.h"
#include "data/dataset_inside.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for the data set");
}

/* ---- Sets held in memory ---- */

/* Tars are opened again when their pictures are read. */
static bool list_source(const dataset *d, int i, member_list *list, error *err)
{
    int file = -1;
    bool done = source_list(list, d->paths[i], i, &file, err);
    if (file >= 0) files_keep(d->files, i, file);
    return done;
}

/* The list's notes become the set's. */
static void keep_left_out(dataset *d, member_list *list)
{
    d->left_out = list->left_out;
    d->left_out_count = d->left_out_total = list->left_out_count;
    list->left_out = NULL;
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

static build_limits limits_of(const dataset_options *o)
{
    build_limits limits = BUILD_LIMITS;
    if (o->most_pictures) limits.pictures = o->most_pictures;
    if (o->most_held) limits.held = o->most_held;
    return limits;
}

/* *over: it is too large, if it can have an index; then nothing is left of it. */
static bool open_resident(dataset *d, const dataset_options *o, bool can_be_large, bool *over, error *err)
{
    member_list list = { .memory = arena_create() };
    bool done = list.memory ? true : no_memory(err);
    d->memory = list.memory;
    list.paths = d->source_count > 1 ? d->paths : NULL;
    list.lenient = d->source_count > 1; /* of a hundred shards one that is cut does not stop the others */
    if (can_be_large) list.most_pictures = limits_of(o).pictures;
    if (can_be_large) list.most_held = limits_of(o).held;
    for (int i = 0; done && i < d->source_count; ++i) done = list_source(d, i, &list, err);
    *over = list.over;
    done = done && pair(d, &list, o->need_captions, err);
    source_free(&list);
    if (done || !*over) return done;
    arena_destroy(d->memory);
    d->memory = NULL;
    return false;
}

/* ---- Large sets ---- */

/* The lines of what was left out, each as a text of its own. */
static bool take_left_out(dataset *d, error *err)
{
    d->memory = arena_create();
    d->left_out = malloc(INDEX_LINES * sizeof *d->left_out);
    if (!d->memory || !d->left_out) return no_memory(err);
    for (int64_t i = 0; i < index_shards(d->index); ++i) {
        const index_shard *s = index_shard_at(d->index, i);
        char *line = arena_strdup(d->memory, index_text(d->index, s->lines));
        if (!line) return no_memory(err);
        d->left_out_total += s->left_out;
        for (size_t length; *line && d->left_out_count < INDEX_LINES; line += length + 1) {
            length = strcspn(line, "\n");
            if (!line[length]) break;
            line[length] = 0;
            const char *whole =
                d->source_count > 1 ? arena_printf(d->memory, "%s: %s", d->paths[i], line) : line;
            if (!whole) return no_memory(err);
            d->left_out[d->left_out_count++] = whole;
        }
    }
    return true;
}

/* What dataset_pair.c checks of a whole set. */
static bool check_large(const dataset *d, bool need_captions, error *err)
{
    int64_t paired = 0, captions = 0, pictures = 0;
    for (int64_t i = 0; i < index_shards(d->index); ++i) {
        paired += index_shard_at(d->index, i)->paired;
        captions += index_shard_at(d->index, i)->lonely_captions;
        pictures += index_shard_at(d->index, i)->lonely_pictures;
    }
    if (captions > paired)
        return error_set(err, ERROR_FORMAT, "%s: %lld of the set's captions have no picture", d->paths[0],
                         (long long)captions);
    if (d->count == 0)
        return error_set(err, ERROR_FORMAT,
                         "%s: holds no picture (KEY.png, KEY.jpg), with or without a caption (KEY.txt)",
                         d->paths[0]);
    return !need_captions || pictures == 0 ||
           error_set(err, ERROR_FORMAT, "%s: %lld of %lld pictures have no caption", d->paths[0],
                     (long long)pictures, (long long)d->count);
}

static bool take_index(dataset *d, dataset_index *index, const dataset_options *o, error *err)
{
    d->index = index;
    d->count = index_count(index);
    if (d->count >= UINT32_MAX)
        return error_set(err, ERROR_FORMAT, "%lld samples are too many", (long long)d->count);
    if (!check_large(d, o->need_captions, err)) return false;
    return take_left_out(d, err) && shard_open(&d->shards, index, d->names, d->files, err);
}

static bool open_any(dataset *d, const dataset_options *o, error *err)
{
    const build_limits limits = limits_of(o);
    bool can_be_large = !o->resident && build_can(d->paths, d->source_count), stale = false, over = false;
    dataset_index *index = NULL;
    if (can_be_large && !build_find(d->paths, d->source_count, limits, &index, &stale, err)) return false;
    if (index && build_is_large(index, limits)) return take_index(d, index, o, err);
    index_close(index);
    if (!stale && open_resident(d, o, can_be_large, &over, err)) return true;
    if (!stale && !over) return false;
    if (!(index = build_open(d->paths, d->source_count, NULL, err))) return false;
    if (build_is_large(index, limits)) return take_index(d, index, o, err);
    index_close(index); /* it became small */
    return open_resident(d, o, can_be_large, &over, err);
}

/* ---- Both ---- */

static bool copy_groups(dataset *d, const dataset_options *o, error *err)
{
    if (!o->groups || o->group_count < 2) return true;
    d->groups = malloc((size_t)d->source_count * sizeof *d->groups);
    d->weights = malloc((size_t)o->group_count * sizeof *d->weights);
    if (!d->groups || !d->weights) return no_memory(err);
    memcpy(d->groups, o->groups, (size_t)d->source_count * sizeof *d->groups);
    memcpy(d->weights, o->weights, (size_t)o->group_count * sizeof *d->weights);
    d->group_count = o->group_count;
    for (int i = 0; i < d->source_count; ++i) {
        int group = d->groups[i];
        CHECK(group >= (i ? d->groups[i - 1] : 0) && group < d->group_count, "source %d is of group %d", i,
              group);
        if (!(d->weights[group] > 0 && d->weights[group] < 1e18))
            return error_set(err, ERROR_USAGE, "the weight of '%s' is %g; it must be above 0", d->paths[i],
                             d->weights[group]);
    }
    return true;
}

static bool prepare(dataset *d, const char *const *paths, int count, const dataset_options *o, error *err)
{
    d->paths = calloc((size_t)count, sizeof *d->paths);
    d->names = calloc((size_t)count, sizeof *d->names);
    if (!d->paths || !d->names) return no_memory(err);
    for (int i = 0; i < count; ++i) {
        d->source_count = i + 1;
        d->paths[i] = strdup(paths[i]);
        d->names[i] = source_options_cut(paths[i]);
        if (!d->paths[i] || !d->names[i]) return no_memory(err);
    }
    d->reading = IMAGE_READING_DEFAULT;
    return (d->files = files_create(d->names, count, err)) &&
           (d->reading.profiles = image_profiles_create(err)) && copy_groups(d, o, err);
}

dataset *dataset_open_with(const char *const *paths, int count, const dataset_options *options, error *err)
{
    if (count < 1) return error_null(err, ERROR_USAGE, "no data set is given; name a tar or a folder");
    dataset *d = calloc(1, sizeof *d);
    if (!d) return no_memory(err), NULL;
    if (!prepare(d, paths, count, options, err) || !open_any(d, options, err)) {
        dataset_close(d);
        return NULL;
    }
    if (d->left_out_count > 0)
        log_warn("%lld files of the data set, or parts of them, are left out, which 'dalle-cl data info' "
                 "lists; the first is %s",
                 (long long)d->left_out_total, d->left_out[0]);
    return d;
}

dataset *dataset_open(const char *const *paths, int count, bool need_captions, error *err)
{
    const dataset_options options = { .need_captions = need_captions };
    return dataset_open_with(paths, count, &options, err);
}

void dataset_close(dataset *d)
{
    if (!d) return;
    shard_close(&d->shards);
    index_close(d->index);
    files_destroy(d->files);
    for (int i = 0; i < d->source_count; ++i) {
        free((void *)(uintptr_t)d->paths[i]);
        free((void *)(uintptr_t)d->names[i]);
    }
    free(d->paths);
    free(d->names);
    free(d->groups);
    free(d->weights);
    free(d->items);
    free(d->left_out);
    image_profiles_destroy(d->reading.profiles);
    arena_destroy(d->memory);
    free(d);
}

int64_t dataset_count(const dataset *d)
{
    return d->count;
}

bool dataset_is_large(const dataset *d)
{
    return d->index != NULL;
}

int64_t dataset_uncaptioned(const dataset *d)
{
    int64_t count = 0;
    for (int64_t i = 0; i < d->count; ++i)
        count += d->index ? !(index_entries(d->index)[i].flags & INDEX_CAPTIONED)
                          : d->items[i].sample.caption_count == 0;
    return count;
}

int64_t dataset_left_out(const dataset *d)
{
    return d->left_out_count;
}

int64_t dataset_left_out_total(const dataset *d)
{
    return d->left_out_total;
}

const char *dataset_left_out_at(const dataset *d, int64_t i)
{
    CHECK(i >= 0 && i < d->left_out_count, "file %lld of %lld left out", (long long)i,
          (long long)d->left_out_count);
    return d->left_out[i];
}

int64_t dataset_source_begin(const dataset *d, int i)
{
    int64_t low = 0, high = d->count;
    if (d->index) return i < d->source_count ? index_shard_at(d->index, i)->first : d->count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (d->items[middle].picture.source < i)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void check_index(const dataset *d, int64_t index)
{
    CHECK(index >= 0 && index < d->count, "sample %lld of %lld", (long long)index, (long long)d->count);
}

const dataset_sample *dataset_at(const dataset *d, int64_t index)
{
    check_index(d, index);
    CHECK(!d->index, "sample %lld of a large set is not held in memory", (long long)index);
    return &d->items[index].sample;
}

bool dataset_read(const dataset *d, int64_t index, dataset_sample *out, error *err)
{
    check_index(d, index);
    if (d->index) return shard_read(&d->shards, index, out, err);
    *out = d->items[index].sample;
    return true;
}

static bool is_named(const dataset *d, int64_t index, const char *key)
{
    dataset_sample s;
    if (index_entries(d->index)[index].key != index_hash(key)) return false;
    bool same = dataset_read(d, index, &s, NULL) && strcmp(s.key, key) == 0;
    dataset_sample_free(&s);
    return same;
}

int64_t dataset_find(const dataset *d, const char *key)
{
    for (int64_t i = 0; i < d->count; ++i)
        if (d->index ? is_named(d, i, key) : strcmp(d->items[i].sample.key, key) == 0) return i;
    return -1;
}

void dataset_set_reading(dataset *d, const image_reading *how)
{
    image_profiles *kept = d->reading.profiles;
    d->reading = *how;
    d->reading.profiles = kept;
}

/* ---- Pictures ---- */

static bool read_in_place(const dataset *d, const member *m, const char *name, image *out, error *err)
{
    unsigned char *bytes = malloc((size_t)m->size + 1);
    if (!bytes) return error_set(err, ERROR_MEMORY, "%s: no memory to read it", name);
    int file = files_take(d->files, m->source, err);
    bool done = file >= 0 && source_read(file, m->offset, m->size, bytes, name, err);
    if (file >= 0) files_give(d->files, m->source);
    done = done && image_decode_as(bytes, (size_t)m->size, name, &d->reading, out, err);
    free(bytes);
    return done;
}

/* The name takes a look at the tar, so it is made for one that cannot be decoded only. */
static bool read_large(const dataset *d, int64_t index, image *out, error *err)
{
    size_t size;
    char name[512], *bytes = shard_picture(&d->shards, index, &size, err);
    if (!bytes) return false;
    error why;
    bool done =
        image_decode_as(bytes, size, d->paths[index_shard_of(d->index, index)], &d->reading, out, &why);
    if (!done && err) *err = why;
    if (!done && why.code == ERROR_FORMAT) {
        shard_picture_name(&d->shards, index, name);
        done = image_decode_as(bytes, size, name, &d->reading, out, err);
    }
    free(bytes);
    return done;
}

bool dataset_read_picture(const dataset *d, int64_t index, image *out, error *err)
{
    check_index(d, index);
    *out = (image){ 0 };
    if (d->index) return read_large(d, index, out, err);
    const member *m = &d->items[index].picture;
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
    check_index(d, index);
    if (d->index) return (*bytes = shard_picture(&d->shards, index, size, err)) != NULL;
    const member *m = &d->items[index].picture;
    if (m->size > SOURCE_MAX_PICTURE)
        return error_set(err, ERROR_FORMAT, "%s: has %lld bytes; at most %d are read", m->name,
                         (long long)m->size, SOURCE_MAX_PICTURE);
    if (m->path) return (*bytes = file_read(m->path, size, err)) != NULL;
    *size = (size_t)m->size;
    *bytes = malloc(*size + 1);
    if (!*bytes) return error_set(err, ERROR_MEMORY, "%s: no memory to read it", m->name);
    if (m->bytes) return memcpy(*bytes, m->bytes, *size), true;
    int file = files_take(d->files, m->source, err);
    bool done = file >= 0 && source_read(file, m->offset, m->size, *bytes, m->name, err);
    if (file >= 0) files_give(d->files, m->source);
    if (!done) free(*bytes), *bytes = NULL;
    return done;
}

const char *dataset_details(const dataset *d, int64_t index)
{
    check_index(d, index);
    CHECK(!d->index, "the description of sample %lld of a large set is not held in memory", (long long)index);
    return d->items[index].description;
}

bool dataset_read_details(const dataset *d, int64_t index, char **details, error *err)
{
    check_index(d, index);
    *details = NULL;
    if (d->index) return shard_details(&d->shards, index, details, err);
    const char *text = d->items[index].description;
    if (!text) return true;
    *details = strdup(text);
    return *details || error_set(err, ERROR_MEMORY, "out of memory for a description");
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

void dataset_hash(const dataset *d, char hex[65])
{
    hash h;
    hash_start(&h);
    if (d->index) hash_text(&h, "tars");
    for (int64_t i = 0; d->index && i < index_shards(d->index); ++i)
        hash_bytes(&h, index_shard_at(d->index, i)->content, 64);
    for (int64_t i = 0; !d->index && i < d->count; ++i)
        sample_hash(&h, &d->items[i].sample, d->items[i].picture.size);
    hash_finish(&h, hex);
}

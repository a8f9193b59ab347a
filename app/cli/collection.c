/* collection.c -- see collection.h.
 * Every folder that is named is a set of its own, so that it is known which one a picture lies in; shards and
 * lists that follow one another are one set, so that many are read as one large set is.
 * SPDX-License-Identifier: MIT */
#include "app/cli/collection.h"

#include "data/dataset_paths.h"
#include "data/dataset_source.h"
#include "data/picture_file.h"
#include "host/base/file.h"
#include "host/base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct group {
    dataset *set;             /* NULL: picture files */
    const char *const *paths; /* those files */
    const char *source;       /* the folder; "": none */
    int64_t first, count;     /* its pictures among all */
} group;

struct collection {
    group *groups;
    int group_count;
    int64_t count;
};

/* ---- Files and texts ---- */

static bool has_picture_bytes(const char *path)
{
    unsigned char head[16];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t size = fread(head, 1, sizeof head, file);
    fclose(file);
    return strcmp(picture_file_ending(head, size), "img") != 0;
}

/* A file is a picture's by its content or, damaged, by its name. */
static bool is_picture_file(const char *path)
{
    return file_exists(path) && !file_is_folder(path) && (has_picture_bytes(path) || source_is_picture(path));
}

bool collection_tell(const char *argument, bool *picture, error *err)
{
    size_t length = strlen(argument);
    *picture = is_picture_file(argument);
    if (*picture) return true;
    if (length > 1 && argument[length - 1] == '/' && file_is_folder(argument))
        return error_set(err, ERROR_USAGE, "'%s' is a folder; pictures are named one by one here", argument);
    if (file_exists(argument) || !source_is_picture(argument)) return true;
    return error_set(err, ERROR_USAGE,
                     "there is no picture '%s'; if that is a text and no file, give it as --text", argument);
}

/* ---- Opening ---- */

typedef enum path_kind { PATH_FILE, PATH_FOLDER, PATH_OTHER } path_kind;

static path_kind kind_of(const char *path)
{
    if (file_is_folder(path)) return PATH_FOLDER;
    return is_picture_file(path) ? PATH_FILE : PATH_OTHER;
}

static bool open_group(group *g, path_kind kind, const char *const *paths, int count, error *err)
{
    *g = (group){ .paths = paths, .count = count, .source = kind == PATH_FOLDER ? paths[0] : "" };
    if (kind == PATH_FILE) return true;
    if (!(g->set = dataset_paths_open(paths, count, false, err))) return false;
    g->count = dataset_count(g->set);
    return true;
}

static bool open_groups(collection *c, const char *const *paths, int count, error *err)
{
    for (int from = 0, to; from < count; from = to) {
        path_kind kind = kind_of(paths[from]);
        to = from + 1;
        while (to < count && kind != PATH_FOLDER && kind_of(paths[to]) == kind) ++to;
        group *g = &c->groups[c->group_count];
        if (!open_group(g, kind, paths + from, to - from, err)) return false;
        g->first = c->count;
        c->count += g->count;
        ++c->group_count;
    }
    return true;
}

collection *collection_open(const char *const *paths, int count, error *err)
{
    collection *c = calloc(1, sizeof *c);
    if (c) c->groups = calloc((size_t)count, sizeof *c->groups);
    bool ok = c && c->groups ? true : error_set(err, ERROR_MEMORY, "out of memory for %d paths", count);
    if (ok && open_groups(c, paths, count, err)) return c;
    collection_close(c);
    return NULL;
}

void collection_close(collection *c)
{
    if (!c) return;
    for (int i = 0; i < c->group_count; ++i) dataset_close(c->groups[i].set);
    free(c->groups);
    free(c);
}

/* ---- Pictures ---- */

int64_t collection_count(const collection *c)
{
    return c->count;
}

static const group *group_of(const collection *c, int64_t index)
{
    int i = c->group_count - 1;
    CHECK(index >= 0 && index < c->count, "picture %lld of %lld", (long long)index, (long long)c->count);
    while (c->groups[i].first > index) --i;
    return &c->groups[i];
}

bool collection_item_read(const collection *c, int64_t index, collection_item *out, error *err)
{
    const group *g = group_of(c, index);
    *out = (collection_item){ .source = g->source };
    if (g->set) return dataset_read(g->set, index - g->first, &out->sample, err);
    out->sample = (dataset_sample){
        .key = g->paths[index - g->first], .caption = "", .split = "", .group = "", .repeat = 1
    };
    return true;
}

bool collection_picture(const collection *c, int64_t index, image *out, error *err)
{
    const group *g = group_of(c, index);
    if (g->set) return dataset_read_picture(g->set, index - g->first, out, err);
    return image_read(g->paths[index - g->first], out, err);
}

bool collection_bytes(const collection *c, int64_t index, void **bytes, size_t *size, error *err)
{
    const group *g = group_of(c, index);
    if (g->set) return dataset_read_bytes(g->set, index - g->first, bytes, size, err);
    return (*bytes = file_read_most(g->paths[index - g->first], SOURCE_MAX_PICTURE, size, err)) != NULL;
}

bool collection_hash(const collection *c, char hex[65], error *err)
{
    hash h;
    char one[65];
    hash_start(&h);
    for (int i = 0; i < c->group_count; ++i) {
        if (!c->groups[i].set)
            return error_set(err, ERROR_USAGE,
                             "'%s' is a picture and no set: embeddings are kept of sets only, such as the "
                             "folder that it lies in",
                             c->groups[i].paths[0]);
        dataset_hash(c->groups[i].set, one);
        hash_text(&h, one);
    }
    hash_finish(&h, hex);
    if (c->group_count == 1) strcpy(hex, one);
    return true;
}

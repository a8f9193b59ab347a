/* dataset_source.c -- lists folders, and what folders and tars share.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_source.h"
#include "host/base/file.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_DEPTH 32

bool source_kind(const char *name, bool first_dot, member_kind *kind, size_t *key_length)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    const char *dot = first_dot ? strchr(base, '.') : strrchr(base, '.');
    if (!dot || dot == base) return false;
    *key_length = (size_t)(dot - name);
    if (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0)
        *kind = MEMBER_PICTURE;
    else if (strcasecmp(dot, ".txt") == 0)
        *kind = MEMBER_CAPTION;
    else if (strcasecmp(dot, ".json") == 0)
        *kind = MEMBER_DETAILS;
    else
        return false;
    return true;
}

int64_t source_text_limit(member_kind kind)
{
    return kind == MEMBER_CAPTION ? SOURCE_MAX_CAPTIONS : SOURCE_MAX_DETAILS;
}

bool source_add(member_list *list, const member *m, error *err)
{
    if (list->count == list->room) {
        int64_t room = list->room ? 2 * list->room : 1024;
        member *larger = realloc(list->items, (size_t)room * sizeof *larger);
        if (!larger) return error_set(err, ERROR_MEMORY, "no memory to list %lld files", (long long)room);
        list->items = larger;
        list->room = room;
    }
    list->items[list->count] = *m;
    list->items[list->count].order = list->count;
    ++list->count;
    return true;
}

typedef struct folder {
    member_list *list;
    const char *root;
    int source;
    error *err;
} folder;

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory to list a folder");
}

static bool read_text(const folder *f, member *m)
{
    if (m->size > source_text_limit(m->kind)) return true;
    size_t size;
    char *text = file_read(m->path, &size, f->err);
    if (!text) return false;
    if (strlen(text) != size) {
        free(text);
        return error_set(f->err, ERROR_FORMAT, "%s: holds a zero byte, so it is not text", m->path);
    }
    m->text = arena_strdup(f->list->memory, text);
    free(text);
    return m->text || no_memory(f->err);
}

static bool add_file(const folder *f, const char *path, int64_t size)
{
    member m = { .size = size, .source = f->source };
    size_t length;
    const char *name = path + strlen(f->root);
    while (*name == '/') ++name;
    if (!source_kind(name, false, &m.kind, &length)) return true;
    char *key = arena_strdup(f->list->memory, name);
    m.path = arena_strdup(f->list->memory, path);
    if (!key || !m.path) return no_memory(f->err);
    key[length] = 0;
    m.key = key;
    if (m.kind != MEMBER_PICTURE && !read_text(f, &m)) return false;
    return source_add(f->list, &m, f->err);
}

static bool list_folder(const folder *f, const char *path, int depth);

static bool visit(const folder *f, const char *path, int depth)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return error_set(f->err, ERROR_IO, "cannot look at '%s': %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode)) return list_folder(f, path, depth + 1);
    return !S_ISREG(about.st_mode) || add_file(f, path, (int64_t)about.st_size);
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool list_folder(const folder *f, const char *path, int depth)
{
    if (depth > MAX_DEPTH)
        return error_set(f->err, ERROR_IO, "'%s' lies more than %d folders deep; does a link lead back?",
                         path, MAX_DEPTH);
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, by_name);
    if (count < 0) return error_set(f->err, ERROR_IO, "cannot list '%s': %s", path, strerror(errno));
    bool done = true;
    for (int i = 0; i < count; ++i) {
        char *inside = done ? file_join(path, entries[i]->d_name) : NULL;
        if (done) done = inside ? visit(f, inside, depth) : no_memory(f->err);
        free(inside);
        free(entries[i]);
    }
    free(entries);
    return done;
}

bool source_folder(member_list *list, const char *path, int source, error *err)
{
    folder f = { list, path, source, err };
    return list_folder(&f, path, 0);
}

/* dataset_folder.c -- lists a folder and those in it.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_shards.h"
#include "data/dataset_source.h"
#include "host/base/file.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 32

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
    if (m->size > source_limit(m->kind)) return true;
    size_t size;
    char *text = file_read(m->path, &size, f->err);
    if (!text) return false;
    char *copy = arena_alloc(f->list->memory, size + 1);
    if (copy) memcpy(copy, text, size);
    free(text);
    m->text = copy;
    m->size = (int64_t)size;
    return copy || no_memory(f->err);
}

/* "annotations/captions_val2017.json" */
static bool names_coco(const char *name)
{
    const char *slash = strrchr(name, '/'), *own = slash ? slash + 1 : name, *end = strrchr(own, '.');
    return strncmp(own, "captions_", 9) == 0 && end && strcmp(end, ".json") == 0;
}

static bool add_file(const folder *f, const char *path, int64_t size)
{
    member m = { .size = size, .source = f->source };
    const char *name = path + strlen(f->root);
    while (*name == '/') ++name;
    if (shards_is_tar(name))
        return source_leave_out(f->list, f->source, name,
                                "a tar beside pictures; name it as a set of its own", f->err);
    if (names_coco(name))
        return source_leave_out(
            f->list, f->source, name,
            "COCO's captions beside pictures; name it as the set, to read these with them", f->err);
    if (!source_kind_in(f->list, name, &m)) return true;
    m.path = arena_strdup(f->list->memory, path);
    if (!m.path) return no_memory(f->err);
    m.name = m.path + (name - path);
    if (m.kind != MEMBER_PICTURE && access(path, R_OK) != 0 && errno == EACCES)
        return source_leave_out(f->list, f->source, m.name, strerror(EACCES), f->err);
    if (m.kind != MEMBER_PICTURE && !read_text(f, &m)) return false;
    return source_add(f->list, &m, f->err);
}

/* A link that leads nowhere, and what is no file, is left out by name if a sample's it would be. */
static bool leave_out(const folder *f, const char *path, const char *why)
{
    member m;
    const char *name = path + strlen(f->root);
    while (*name == '/') ++name;
    return !source_kind_in(f->list, name, &m) || source_leave_out(f->list, f->source, name, why, f->err);
}

static bool list_folder(const folder *f, const char *path, int depth);

static bool visit(const folder *f, const char *path, int depth)
{
    struct stat about;
    if (stat(path, &about) != 0) {
        int code = errno;
        if (lstat(path, &about) == 0 && S_ISLNK(about.st_mode) && (code == ENOENT || code == ELOOP))
            return leave_out(f, path, "a link that leads nowhere");
        return error_set(f->err, ERROR_IO, "cannot look at '%s': %s", path, strerror(code));
    }
    if (S_ISDIR(about.st_mode)) return list_folder(f, path, depth + 1);
    if (S_ISREG(about.st_mode)) return add_file(f, path, (int64_t)about.st_size);
    return leave_out(f, path, "neither a file nor a folder");
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "__MACOSX") != 0;
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

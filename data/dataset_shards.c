/* dataset_shards.c -- see dataset_shards.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_shards.h"
#include "data/dataset_source.h"
#include "host/base/file.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_DEPTH 32

bool shards_is_tar(const char *name)
{
    static const char *const endings[] = { ".tar",    ".tar.gz",  ".tgz",     ".tar.zst", ".tzst",
                                           ".tar.xz", ".tar.bz2", ".tar.lz4", ".txz",     ".tbz2" };
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
        size_t tail = strlen(endings[i]);
        if (length > tail && strcasecmp(name + length - tail, endings[i]) == 0) return true;
    }
    return false;
}

typedef struct walk {
    bool (*take)(void *context, const char *path, error *err); /* NULL: only looks */
    void *context;
    bool tar, picture; /* were found */
    error *err;
} walk;

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "__MACOSX") != 0;
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static bool visit(walk *w, const char *folder, int depth);

static bool look_at(walk *w, const char *folder, const char *name, int depth)
{
    if (source_is_picture(name)) return w->picture = true;
    bool tar = shards_is_tar(name);
    char *path = file_join(folder, name);
    if (!path) return error_set(w->err, ERROR_MEMORY, "no memory to list '%s'", folder);
    struct stat about;
    bool there = (tar ? stat : lstat)(path, &about) == 0, done = true; /* a linked folder may lead back */
    if (there && S_ISREG(about.st_mode) && tar) {
        w->tar = true;
        if (w->take) done = w->take(w->context, path, w->err);
    } else if (there && S_ISDIR(about.st_mode) && depth < MAX_DEPTH) {
        done = visit(w, path, depth + 1);
    }
    free(path);
    return done;
}

static bool visit(walk *w, const char *folder, int depth)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_visible, by_name);
    if (count < 0 && errno == ENOMEM)
        return error_set(w->err, ERROR_MEMORY, "no memory to list '%s'", folder);
    bool done = true; /* listing it as a set says what is wrong with a folder */
    for (int i = 0; i < count; ++i) {
        if (done && !(w->picture && !w->take)) done = look_at(w, folder, entries[i]->d_name, depth);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return done;
}

bool shards_only(const char *folder, bool *pictures, error *err)
{
    walk w = { .err = err };
    *pictures = true;
    if (!visit(&w, folder, 0)) return false;
    *pictures = w.picture || !w.tar;
    return true;
}

bool shards_each(const char *folder, bool (*take)(void *context, const char *path, error *err), void *context,
                 error *err)
{
    walk w = { .take = take, .context = context, .err = err };
    return visit(&w, folder, 0);
}

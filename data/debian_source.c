/* debian_source.c -- walks the packages' folders.
 * SPDX-License-Identifier: MIT */
#include "data/debian_source.h"
#include "host/base/file.h"
#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const debian_source debian_sources[DEBIAN_SOURCES] = {
#define DEBIAN_SOURCE(name, pack, mb, licence, at, take, leave, layout, said, series, kind, holds) \
    { name,          pack, mb, licence, at, take, leave, DEBIAN_##layout, DEBIAN_##said, DEBIAN_##series, \
      DEBIAN_##kind, holds },
#include "data/debian_source.def"
#undef DEBIAN_SOURCE
};

int debian_source_find(const char *name)
{
    for (int i = 0; i < DEBIAN_SOURCES; ++i)
        if (strcmp(debian_sources[i].name, name) == 0) return i;
    return -1;
}

/* `patterns` are those of the table, "a|b|c". */
static bool matches(const char *patterns, const char *file)
{
    while (*patterns) {
        char one[128];
        size_t length = strcspn(patterns, "|");
        snprintf(one, sizeof one, "%.*s", (int)length, patterns);
        if (fnmatch(one, file, 0) == 0) return true;
        patterns += length + (patterns[length] == '|');
    }
    return false;
}

/* What the walk has found. */
typedef struct walk {
    const debian_source *source;
    arena *memory;
    const char **files;
    int count, room, most; /* most: where to stop */
    error *err;
} walk;

static bool no_memory(const walk *w)
{
    return error_set(w->err, ERROR_MEMORY, "no memory for the pictures of %s", w->source->package);
}

static bool keep(walk *w, const char *file)
{
    if (!matches(w->source->take, file) || matches(w->source->leave_out, file)) return true;
    if (w->count == w->room) {
        int room = 2 * w->room + 64;
        const char **more = arena_alloc(w->memory, (size_t)room * sizeof *more);
        if (!more) return no_memory(w);
        if (w->count) memcpy(more, w->files, (size_t)w->count * sizeof *more);
        w->files = more;
        w->room = room;
    }
    w->files[w->count] = arena_strdup(w->memory, file);
    return w->files[w->count++] != NULL || no_memory(w);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool look(walk *w, FTS *tree, size_t below)
{
    const FTSENT *e;
    while (w->count < w->most && (errno = 0, e = fts_read(tree))) {
        if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR || e->fts_info == FTS_NS)
            return error_set(w->err, e->fts_errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "cannot read '%s': %s",
                             e->fts_path, strerror(e->fts_errno));
        if (e->fts_info == FTS_F && !keep(w, e->fts_path + below)) return false;
    }
    if (w->count < w->most && errno) return no_memory(w);
    if (w->count) qsort(w->files, (size_t)w->count, sizeof *w->files, by_bytes);
    return true;
}

static bool walk_folder(walk *w, const char *root)
{
    char *folder = file_join(root, w->source->folder);
    if (!folder) return no_memory(w);
    bool done = true;
    if (file_is_folder(folder)) {
        FTS *tree = fts_open((char *const[]){ folder, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        done = tree ? look(w, tree, strlen(folder) + 1) : no_memory(w);
        if (tree) fts_close(tree);
    }
    free(folder);
    return done;
}

bool debian_source_files(const debian_source *s, const char *root, arena *memory, const char ***files,
                         int *count, error *err)
{
    walk w = { .source = s, .memory = memory, .most = 1000000, .err = err };
    bool done = walk_folder(&w, root);
    *files = w.files;
    *count = w.count;
    return done;
}

bool debian_source_installed(const debian_source *s, const char *root, bool *there, error *err)
{
    walk w = { .source = s, .memory = arena_create(), .most = 1, .err = err };
    bool done = w.memory ? walk_folder(&w, root) : no_memory(&w);
    *there = w.count > 0;
    arena_destroy(w.memory);
    return done;
}

static bool named_before(const bool wanted[DEBIAN_SOURCES], int i)
{
    for (int k = 0; k < i; ++k)
        if (wanted[k] && strcmp(debian_sources[k].package, debian_sources[i].package) == 0) return true;
    return false;
}

void debian_source_advice(const bool wanted[DEBIAN_SOURCES], char *text, size_t room)
{
    int megabytes = 0;
    size_t used = (size_t)snprintf(text, room, "apt install");
    for (int i = 0; i < DEBIAN_SOURCES && used < room; ++i) {
        if (!wanted[i] || named_before(wanted, i)) continue;
        used += (size_t)snprintf(text + used, room - used, " %s", debian_sources[i].package);
        megabytes += debian_sources[i].megabytes;
    }
    if (used < room) snprintf(text + used, room - used, " (%d MB)", megabytes);
}

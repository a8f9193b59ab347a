/* rotate.c -- see rotate.h.
 * SPDX-License-Identifier: MIT */
#include "host/train/rotate.h"

#include "host/base/file.h"
#include "host/base/log.h"
#include "host/train/checkpoint.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const run *r, int64_t step)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoint-%06" PRId64 ".safetensors", step);
    return file_join(r->folder, name);
}

/* The step in a file's name; -1: it has none. */
static int64_t step_in(const char *name)
{
    static const char start[] = "checkpoint-", end[] = ".safetensors";
    if (strncmp(name, start, strlen(start)) != 0 || !isdigit((unsigned char)name[strlen(start)])) return -1;
    char *rest;
    errno = 0;
    long long step = strtoll(name + strlen(start), &rest, 10);
    return errno == 0 && strcmp(rest, end) == 0 ? step : -1;
}

typedef struct kept_file {
    int64_t step;
    char *name;
} kept_file;

typedef struct kept_list {
    int count;
    kept_file *at;
} kept_list;

static void forget(kept_list *list)
{
    for (int i = 0; i < list->count; ++i) free(list->at[i].name);
    free(list->at);
    *list = (kept_list){ 0 };
}

static bool append(kept_list *list, int64_t step, const char *name)
{
    kept_file *more = realloc(list->at, ((size_t)list->count + 1) * sizeof *more);
    if (!more) return false;
    list->at = more;
    list->at[list->count] = (kept_file){ step, strdup(name) };
    return list->at[list->count++].name != NULL;
}

static int latest_first(const void *a, const void *b)
{
    const kept_file *x = a, *y = b;
    return (x->step < y->step) - (x->step > y->step);
}

static bool no_memory(const run *r, error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for the checkpoints of run '%s'", r->folder);
}

/* Those with a step's name. */
static bool look(const run *r, kept_list *out, error *err)
{
    bool ok = true;
    *out = (kept_list){ 0 };
    DIR *dir = opendir(r->folder);
    if (!dir && errno != ENOENT)
        return error_set(err, errno == ENOMEM ? ERROR_MEMORY : ERROR_IO, "could not look into '%s': %s",
                         r->folder, strerror(errno));
    for (struct dirent *e; ok && dir && (e = readdir(dir)) != NULL;) {
        int64_t step = step_in(e->d_name);
        if (step >= 0) ok = append(out, step, e->d_name);
    }
    if (dir) closedir(dir);
    if (!ok) {
        forget(out);
        return no_memory(r, err);
    }
    if (out->count) qsort(out->at, (size_t)out->count, sizeof *out->at, latest_first);
    return true;
}

void rotate_free(rotate_list *list)
{
    for (int i = 0; i < list->count; ++i) free(list->paths[i]);
    free(list->paths);
    *list = (rotate_list){ 0 };
}

/* Takes the path over, if there is such a file. */
static bool add_path(rotate_list *list, char *path, error *err)
{
    file_kind kind = FILE_ABSENT;
    bool ok = file_look(path, &kind, err);
    if (ok && kind != FILE_ABSENT)
        list->paths[list->count++] = path;
    else
        free(path);
    return ok;
}

static bool add_all(const run *r, const kept_list *kept, rotate_list *out, error *err)
{
    out->paths = calloc((size_t)kept->count + 2, sizeof *out->paths);
    char *path = out->paths ? strdup(r->checkpoint) : NULL;
    if (!path) return no_memory(r, err);
    if (!add_path(out, path, err)) return false;
    for (int i = 0; i < kept->count; ++i) {
        if (!(path = file_join(r->folder, kept->at[i].name))) return no_memory(r, err);
        if (!add_path(out, path, err)) return false;
    }
    /* Who removes all others wants to begin anew. */
    if (!out->count) return true;
    path = strdup(r->best);
    return path ? add_path(out, path, err) : no_memory(r, err);
}

bool rotate_find(const run *r, rotate_list *out, error *err)
{
    kept_list kept;
    *out = (rotate_list){ 0 };
    if (!look(r, &kept, err)) return false;
    bool ok = add_all(r, &kept, out, err);
    forget(&kept);
    if (!ok) rotate_free(out);
    return ok;
}

static char *none_whole(const run *r, int count, const error *first, error *err)
{
    return error_null(err, ERROR_FORMAT,
                      "none of the %d checkpoints in '%s' is whole: %s; put a copy of one back, or remove "
                      "those named checkpoint to start from the beginning",
                      count, r->folder, first->message);
}

char *rotate_choose(const run *r, bool *newest, error *err)
{
    rotate_list list;
    error first = { 0 };
    char *chosen = NULL;
    if (!rotate_find(r, &list, err)) return NULL;
    int at = 0;
    for (bool goes_on = true; goes_on && at < list.count; ++at) {
        error why = { 0 };
        if (checkpoint_verify(list.paths[at], &why)) {
            chosen = strdup(list.paths[at]);
            if (!chosen) no_memory(r, err);
            *newest = strcmp(list.paths[at], r->checkpoint) == 0;
            break;
        }
        if (at == 0) first = why;
        goes_on = why.code == ERROR_FORMAT;
        if (!goes_on && err) *err = why;
        if (goes_on && at + 1 < list.count)
            log_warn("%s; going on from the one before, '%s'", why.message, list.paths[at + 1]);
        if (goes_on && at + 1 == list.count) none_whole(r, list.count, &first, err);
    }
    rotate_free(&list);
    return chosen;
}

/* Whether the newest is still to get the name: not if it has it, or if somebody has removed it.  A file of
 * another course gives way. */
static bool make_way(const run *r, const char *path)
{
    struct stat newest, there;
    if (stat(r->checkpoint, &newest) != 0) return false;
    if (stat(path, &there) != 0) return true;
    if (newest.st_dev == there.st_dev && newest.st_ino == there.st_ino) return false;
    unlink(path);
    return true;
}

bool rotate_keep(const run *r, int64_t step, error *err)
{
    char *path = path_of(r, step);
    if (!path) return no_memory(r, err);
    bool ok = true;
    if (make_way(r, path) && link(r->checkpoint, path) != 0 && errno != ENOSPC && errno != EDQUOT &&
        rename(r->checkpoint, path) != 0)
        ok = error_set(err, ERROR_IO, "cannot write '%s': %s", path, strerror(errno));
    free(path);
    return ok;
}

static bool remove_kept(const run *r, const char *name, error *err)
{
    char *path = file_join(r->folder, name);
    if (!path) return no_memory(r, err);
    bool ok = unlink(path) == 0 || errno == ENOENT ||
              error_set(err, ERROR_IO, "cannot remove '%s': %s", path, strerror(errno));
    free(path);
    return ok;
}

bool rotate_prune(const run *r, int64_t before, int64_t keep, error *err)
{
    kept_list list;
    int64_t stay = keep - 1;
    if (!look(r, &list, err)) return false;
    bool ok = true;
    for (int i = 0; ok && i < list.count; ++i)
        if (list.at[i].step > before || stay-- <= 0) ok = remove_kept(r, list.at[i].name, err);
    forget(&list);
    return ok;
}

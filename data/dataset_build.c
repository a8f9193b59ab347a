/* dataset_build.c -- see dataset_build.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_build.h"
#include "data/dataset_list.h"
#include "data/dataset_source.h"
#include "host/base/file.h"
#include "host/base/hash.h"
#include "host/base/log.h"
#include "host/base/timing.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct build {
    const char *const *paths;
    int count;
    dataset_index *old; /* NULL, or what is out of date */
    build_report *report;
    bool full;    /* the index could not be written */
    double until; /* when to save what there is, */
    bool stopped; /* and whether some tars were put off */
    error *err;
} build;

/* The path without its options; "" where that is too long. */
static void cut_options(const char *path, char name[PATH_MAX])
{
    const char *options = source_options_find(path);
    size_t length = options ? (size_t)(options - path) - 1 : strlen(path);
    name[0] = 0;
    if (length < PATH_MAX) snprintf(name, PATH_MAX, "%.*s", (int)length, path);
}

static bool look_at(const char *path, struct stat *about)
{
    char name[PATH_MAX];
    cut_options(path, name);
    return stat(name, about) == 0;
}

bool build_can(const char *const *paths, int count)
{
    for (int i = 0; i < count; ++i) {
        struct stat about;
        char name[PATH_MAX];
        cut_options(paths[i], name);
        if (stat(name, &about) != 0 || !S_ISREG(about.st_mode) || !source_is_tar(name)) return false;
    }
    return count <= INDEX_SHARDS;
}

bool build_is_large(const dataset_index *x, build_limits limits)
{
    int64_t pictures = 0, held = 0;
    for (int64_t i = 0; i < index_shards(x); ++i) {
        pictures += index_shard_at(x, i)->pictures;
        held += index_shard_at(x, i)->held;
    }
    return pictures > limits.pictures || held > limits.held;
}

/* ---- Where it is ---- */

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* The path without the folder of the first, so that a folder can be moved with its index. */
static const char *short_path(const build *b, int i)
{
    size_t length = folder_length(b->paths[0]);
    bool beside = length && strncmp(b->paths[i], b->paths[0], length + 1) == 0;
    return b->paths[i] + (beside ? length + 1 : 0);
}

/* Into `text`; it stays empty where there is no such place.  False when memory is out. */
static bool name_place(const build *b, bool cache, char *text, size_t size)
{
    hash h;
    char hex[65], folder[PATH_MAX];
    text[0] = 0;
    errno = 0;
    char *kept = cache ? file_cache_folder() : NULL;
    size_t length = folder_length(b->paths[0]);
    int made = snprintf(folder, sizeof folder, "%.*s", (int)length, b->paths[0]);
    if (length == 0) snprintf(folder, sizeof folder, "%s", b->paths[0][0] == '/' ? "/" : ".");
    hash_start(&h);
    if (kept) { /* which holds those of any folder */
        char *real = realpath(folder, NULL);
        hash_text(&h, real ? real : folder);
        free(real);
    }
    for (int i = 0; i < b->count; ++i) hash_text(&h, short_path(b, i));
    hash_finish(&h, hex);
    bool memory = !cache || errno != ENOMEM, there = made < (int)sizeof folder && (!cache || kept);
    made = snprintf(text, size, "%s/dalle-cl-%.16s.index", kept ? kept : folder, hex);
    free(kept);
    if (!memory || !there || made < 0 || (size_t)made >= size) text[0] = 0;
    return memory || error_set(b->err, ERROR_MEMORY, "no memory to look for the set's index");
}

static bool is_fresh(const build *b, const dataset_index *x, int64_t i)
{
    struct stat about;
    const index_shard *s = index_shard_at(x, i);
    return strcmp(index_text(x, s->path), short_path(b, (int)i)) == 0 && look_at(b->paths[i], &about) &&
           index_is_fresh(s, &about);
}

static int64_t count_fresh(const build *b, const dataset_index *x)
{
    int64_t fresh = 0;
    for (int64_t i = 0; i < index_shards(x); ++i) fresh += is_fresh(b, x, i);
    return fresh;
}

/* What is at a place, if it is an index of so many tars; one that is damaged is said. */
static bool look(const build *b, const char *path, dataset_index **found, int64_t *fresh)
{
    error why;
    *found = NULL;
    if (!*path || !file_exists(path)) return true;
    dataset_index *x = index_open(path, &why);
    if (!x && why.code == ERROR_MEMORY) return *b->err = why, false;
    if (!x) log_warn("the index is made anew: %s", why.message);
    if (x && index_shards(x) == b->count) {
        *fresh = count_fresh(b, x);
        *found = x;
    } else {
        index_close(x);
    }
    return true;
}

/* The index beside the tars or in the cache: the first that is up to date, else the one with most left. */
static bool look_everywhere(const build *b, dataset_index **best, char *path, size_t size, int64_t *fresh)
{
    char text[PATH_MAX];
    bool good = true;
    *best = NULL;
    *fresh = -1;
    for (int cache = 0; good && cache <= 1 && *fresh < b->count; ++cache) {
        int64_t left = 0;
        dataset_index *x = NULL;
        good = name_place(b, cache, text, sizeof text) && look(b, text, &x, &left);
        if (!x || left <= *fresh) {
            index_close(x);
            continue;
        }
        index_close(*best);
        *best = x;
        *fresh = left;
        snprintf(path, size, "%s", text);
    }
    if (good) return true;
    index_close(*best);
    *best = NULL;
    return false;
}

bool build_find(const char *const *paths, int count, build_limits limits, dataset_index **found, bool *stale,
                error *err)
{
    error own;
    const build b = { .paths = paths, .count = count, .err = err ? err : &own };
    char path[PATH_MAX];
    int64_t fresh;
    if (!look_everywhere(&b, found, path, sizeof path, &fresh)) return false;
    *stale = *found && fresh < count && build_is_large(*found, limits);
    if (*found && fresh == count) return true;
    index_close(*found);
    *found = NULL;
    return true;
}

bool build_path(const char *const *paths, int count, bool cache, char *text, size_t size)
{
    const build b = { .paths = paths, .count = count };
    return name_place(&b, cache, text, size) && *text;
}

/* ---- Making it ---- */

/* Takes over what the old index says of a tar. */
static bool reuse(build *b, index_writer *w, int i)
{
    const index_shard *s = index_shard_at(b->old, i);
    bool done = index_writer_add(w, short_path(b, i), s, index_entries(b->old) + s->first,
                                 index_text(b->old, s->lines), b->err);
    b->full = !done;
    return done;
}

/* Notes a tar that is still to be listed: no file is as it says. */
static bool put_off(build *b, index_writer *w, int i)
{
    static const index_entry none;
    const index_shard later = { .bytes = -1 };
    bool done = index_writer_add(w, short_path(b, i), &later, &none, "", b->err);
    b->full = !done;
    return done;
}

static bool list_anew(build *b, index_writer *w, int i)
{
    shard_listing l;
    log_progress("listing tar %d of %d: %s", i + 1, b->count, b->paths[i]);
    if (!list_shard(b->paths[i], b->count > 1, w, &l, b->err)) return false;
    bool done = index_writer_add(w, short_path(b, i), &l.about, l.entries, l.lines ? l.lines : "", b->err);
    b->full = !done;
    list_free(&l);
    return done;
}

/* Splits keep their numbers, which entries hold. */
static bool keep_splits(const build *b, index_writer *w)
{
    uint8_t same;
    for (int i = 0; b->old && i < index_split_count(b->old); ++i)
        if (!index_writer_split(w, index_split(b->old, i), &same, b->err)) return false;
    return true;
}

/* Adds all tars.  Where one cannot be listed, or it is time to save, those behind it are put off. */
static bool add_tars(build *b, index_writer *w, int *listed, error *why)
{
    int kept = 0;
    *listed = 0;
    b->stopped = false;
    for (int i = 0; i < b->count; ++i) {
        bool fresh = b->old && is_fresh(b, b->old, i), now = !fresh && !b->stopped;
        if (!(fresh ? reuse(b, w, i) : now ? list_anew(b, w, i) : put_off(b, w, i))) {
            if (b->full || b->stopped || kept == 0) return false;
            *why = *b->err;
            b->stopped = true;
            if (!put_off(b, w, i)) return false;
        } else if (now) {
            ++*listed;
            b->stopped = timing_now() > b->until;
        }
        kept += fresh || (now && !why->code);
    }
    return true;
}

static bool write_index(build *b, const char *path)
{
    error why = { 0 };
    int listed;
    index_writer *w = index_writer_create(path, b->err);
    b->full = !w;
    bool done = w && keep_splits(b, w) && add_tars(b, w, &listed, &why);
    log_progress(NULL);
    if (!done) return index_writer_abandon(w), false;
    if (!index_writer_finish(w, b->err)) return b->full = true, false;
    b->report->listed += listed;
    if (why.code) *b->err = why;
    return why.code == ERROR_NONE;
}

/* Beside the tars, or else in the cache. */
static bool write_anywhere(build *b)
{
    build_report *r = b->report;
    if (!name_place(b, false, r->path, sizeof r->path)) return false;
    if (!*r->path) return error_set(b->err, ERROR_USAGE, "the path '%.60s...' is too long", b->paths[0]);
    if (write_index(b, r->path)) return true;
    if (!b->full || b->err->code == ERROR_MEMORY) return false;
    error first = *b->err;
    if (!name_place(b, true, r->path, sizeof r->path)) return false;
    if (*r->path) return log_verbose("%s", first.message), write_index(b, r->path);
    *b->err = first;
    return error_prefix(b->err,
                        "the set needs an index, and there is no cache folder for it (DALLE_CL_CACHE)");
}

/* Lists what is not up to date, and saves it after a minute, two, four and so on, so that not much is lost
 * should it be stopped. */
static dataset_index *renew(build *b)
{
    for (double seconds = 60;; seconds *= 2) {
        b->until = timing_now() + seconds;
        bool done = write_anywhere(b);
        index_close(b->old);
        b->old = done ? index_open(b->report->path, b->err) : NULL;
        if (!b->old || !b->stopped) return b->old;
    }
}

dataset_index *build_open(const char *const *paths, int count, build_report *report, error *err)
{
    error own;
    build_report none;
    build b = { .paths = paths, .count = count, .report = report ? report : &none, .err = err ? err : &own };
    int64_t fresh;
    *b.report = (build_report){ .kept = count };
    if (!look_everywhere(&b, &b.old, b.report->path, sizeof b.report->path, &fresh)) return NULL;
    if (b.old && fresh == count) return b.old;
    if (b.old)
        log_info("%lld of %d tars have changed, or were not listed yet, and are listed now",
                 (long long)(count - fresh), count);
    else
        log_info("listing %d tars, once, for the set's index", count);
    dataset_index *made = renew(&b);
    b.report->kept = count - b.report->listed;
    if (made) log_info("the set's index is %s", b.report->path);
    return made;
}

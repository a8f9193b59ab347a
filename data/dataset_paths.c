/* dataset_paths.c -- see dataset_paths.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_paths.h"
#include "data/dataset_options.h"
#include "data/dataset_shards.h"
#include "data/dataset_text.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for the paths of a data set");
}

void dataset_paths_free(dataset_paths *p)
{
    for (int i = 0; i < p->count; ++i) free(p->path[i]);
    free(p->path);
    free(p->group);
    free(p->weight);
    *p = (dataset_paths){ 0 };
}

/* What was given and where its sources go. */
typedef struct expander {
    dataset_paths *out;
    const char *given, *options; /* behind the '?', or NULL */
    double weight;
    error *err;
} expander;

static bool make_room(dataset_paths *p, error *err)
{
    if (p->count < p->room) return true;
    int room = p->room ? 2 * p->room : 16;
    char **path = realloc(p->path, (size_t)room * sizeof *path);
    if (path) p->path = path;
    int *group = path ? realloc(p->group, (size_t)room * sizeof *group) : NULL;
    if (group) p->group = group;
    double *weight = group ? realloc(p->weight, (size_t)room * sizeof *weight) : NULL;
    if (!weight) return no_memory(err);
    p->weight = weight;
    p->room = room;
    return true;
}

static bool add(const expander *e, const char *path)
{
    dataset_paths *p = e->out;
    char *whole;
    if (p->count == DATASET_PATHS_MOST)
        return error_set(e->err, ERROR_USAGE, "'%s' names more than %d sources", e->given,
                         DATASET_PATHS_MOST);
    if (!make_room(p, e->err)) return false;
    whole = dataset_text_print("%s%s%s", path, e->options ? "?" : "", e->options ? e->options : "");
    if (!whole) return no_memory(e->err);
    p->path[p->count] = whole;
    p->weight[p->group_count] = e->weight;
    p->group[p->count++] = p->group_count;
    return true;
}

/* ---- What is there -------------------------------------------------------------------------------- */

static bool add_shard(void *context, const char *path, error *err)
{
    (void)err;
    return add(context, path);
}

/* A folder's shards, or the path itself. */
static bool add_source(const expander *e, const char *path)
{
    bool pictures = true;
    if (file_is_folder(path) && !shards_only(path, &pictures, e->err)) return false;
    expander copy = *e;
    return pictures ? add(e, path) : shards_each(path, add_shard, &copy, e->err);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* A pattern that the shell has left as it is. */
static bool add_pattern(const expander *e, const char *path)
{
    glob_t found;
    if (!strpbrk(path, "*?[") || file_exists(path)) return add_source(e, path);
    int code = glob(path, GLOB_NOSORT, NULL, &found);
    if (code == GLOB_NOMATCH) return error_set(e->err, ERROR_IO, "'%s': nothing is named like that", path);
    if (code == GLOB_NOSPACE) return no_memory(e->err);
    if (code != 0) return error_set(e->err, ERROR_IO, "'%s': a folder in it cannot be read", path);
    qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_name);
    bool done = true;
    for (size_t i = 0; done && i < found.gl_pathc; ++i) done = add_source(e, found.gl_pathv[i]);
    globfree(&found);
    return done;
}

/* ---- Braces --------------------------------------------------------------------------------------- */

static bool expand_braces(const expander *e, const char *path);

/* `length` bytes before the braces, a text for them, and what stands behind. */
static bool put_instead(const expander *e, const char *path, size_t length, const char *middle, size_t size,
                        const char *rest)
{
    char *made = dataset_text_print("%.*s%.*s%s", (int)length, path, (int)size, middle, rest);
    if (!made) return no_memory(e->err);
    bool done = expand_braces(e, made);
    free(made);
    return done;
}

/* The brace that closes the one at `open`; NULL if there is none.  *list: a comma stands between them. */
static const char *find_close(const char *open, bool *list)
{
    int depth = 0;
    *list = false;
    for (const char *c = open; *c; ++c) {
        depth += *c == '{';
        depth -= *c == '}';
        *list |= depth == 1 && *c == ',';
        if (depth == 0) return c;
    }
    return NULL;
}

/* {first..last} or {first..last..step}: numbers of at most 18 digits.  The width is that of the longer, where
 * one begins with a zero. */
typedef struct range {
    long long first, last, step;
    int width;
} range;

static const char *read_number(const char *at, long long *number, int *width)
{
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || digits > 18) return NULL;
    *number = strtoll(at, NULL, 10);
    if (digits > 1 && *at == '0') *width = (int)digits > *width ? (int)digits : *width;
    return at + digits;
}

static bool read_range(const char *open, const char *close, range *r)
{
    *r = (range){ .step = 1 };
    int ignored = 0;
    const char *first = open + 1, *at = read_number(first, &r->first, &r->width);
    if (!at || strncmp(at, "..", 2) != 0) return false;
    const char *last = at + 2, *end = read_number(last, &r->last, &r->width);
    if (!end) return false;
    int longer = (int)(at - first > end - last ? at - first : end - last);
    if (r->width) r->width = longer;
    if (strncmp(end, "..", 2) == 0 && !(end = read_number(end + 2, &r->step, &ignored))) return false;
    return end == close && r->step > 0;
}

static bool expand_range(const expander *e, const char *path, const char *open, const range *r,
                         const char *rest)
{
    long long span = r->last > r->first ? r->last - r->first : r->first - r->last;
    if (span / r->step >= DATASET_PATHS_MOST)
        return error_set(e->err, ERROR_USAGE, "'%s' names more than %d sources", e->given,
                         DATASET_PATHS_MOST);
    for (long long i = 0; i <= span; i += r->step) {
        char number[24];
        int size = snprintf(number, sizeof number, "%0*lld", r->width,
                            r->last > r->first ? r->first + i : r->first - i);
        if (!put_instead(e, path, (size_t)(open - path), number, (size_t)size, rest)) return false;
    }
    return true;
}

static bool expand_list(const expander *e, const char *path, const char *open, const char *close)
{
    int depth = 0;
    const char *begin = open + 1;
    for (const char *c = begin; c <= close; ++c) {
        if ((depth == 0 && *c == ',') || c == close) {
            if (!put_instead(e, path, (size_t)(open - path), begin, (size_t)(c - begin), close + 1))
                return false;
            begin = c + 1;
        }
        depth += *c == '{';
        depth -= *c == '}';
    }
    return true;
}

/* The first braces that hold a range or a list; what comes of them may hold more. */
static bool expand_braces(const expander *e, const char *path)
{
    if (file_exists(path)) return add_source(e, path);
    for (const char *open = strchr(path, '{'); open; open = strchr(open + 1, '{')) {
        bool list;
        range r;
        const char *close = find_close(open, &list);
        if (!close) continue;
        if (list) return expand_list(e, path, open, close);
        if (read_range(open, close, &r)) return expand_range(e, path, open, &r, close + 1);
    }
    return add_pattern(e, path);
}

/* ---- Weights and options ---------------------------------------------------------------------------- */

/* The weight at the end, "@2.5", and where it begins; NULL if there is none. */
static const char *find_weight(const char *text, double *weight)
{
    const char *mark = strrchr(text, '@');
    if (!mark || mark == text || !mark[1]) return NULL;
    if (mark[1 + strspn(mark + 1, "0123456789.")] || !strpbrk(mark, "0123456789")) return NULL;
    char *end;
    *weight = strtod(mark + 1, &end);
    return *end ? NULL : mark;
}

/* Takes options off the end, then what is left is expanded. */
static bool expand_path(expander *e, char *path)
{
    const char *options = source_options_find(path);
    if (options) {
        e->options = options;
        path[options - path - 1] = 0;
    }
    return expand_braces(e, path);
}

static bool expand_weighted(expander *e, char *path, const char *mark, double weight)
{
    bool whole = file_exists(path);
    path[mark - path] = 0;
    if (whole && file_exists(path))
        return error_set(
            e->err, ERROR_USAGE,
            "'%s' is there, and '%s', which it may mean with a weight, is there too: write '%s@1' "
            "for the first, '%s@%.4f' for the second",
            e->given, path, e->given, path, weight);
    if (!(weight > 0 && weight <= DATASET_PATHS_MOST_WEIGHT))
        return error_set(e->err, ERROR_USAGE, "'%s': a weight is above 0 and at most %g", e->given,
                         DATASET_PATHS_MOST_WEIGHT);
    e->weight = weight;
    int before = e->out->count;
    bool done = expand_path(e, path);
    bool lost = done && e->out->count == before + 1 && !e->options && !file_exists(e->out->path[before]);
    if (!lost) return done;
    return error_set(e->err, ERROR_IO, "cannot open '%s', nor '%s' with the weight %g: %s", e->given, path,
                     weight, strerror(ENOENT));
}

static bool expand_one(dataset_paths *out, const char *given, error *err)
{
    expander e = { .out = out, .given = given, .weight = 1, .err = err };
    char *path = strdup(given);
    if (!path) return no_memory(err);
    double weight;
    const char *mark = find_weight(path, &weight);
    bool plain = !mark;
    if (mark && file_exists(path)) { /* then the sign may be the name's */
        path[mark - path] = 0;
        plain = !file_exists(path);
        path[mark - path] = '@';
    }
    int before = out->count;
    bool done = plain ? expand_path(&e, path) : expand_weighted(&e, path, mark, weight);
    free(path);
    out->weighted |= !plain && e.weight != 1;
    out->group_count += out->count > before;
    return done;
}

static bool expand_lines(dataset_paths *out, const char *given, error *err)
{
    if (!strchr(given, '\n') || file_exists(given)) return expand_one(out, given, err);
    for (const char *line = given; *line; line += *line == '\n') {
        size_t length = strcspn(line, "\n");
        char *one = strndup(line, length);
        bool done = one ? length == 0 || expand_one(out, one, err) : no_memory(err);
        free(one);
        if (!done) return false;
        line += length;
    }
    return true;
}

/* Whether it is what img2dataset writes beside NAME.tar. */
static bool look_beside(const char *path, bool *beside, error *err)
{
    static const char *const endings[] = { ".parquet", "_stats.json" };
    size_t length = strlen(path);
    *beside = false;
    for (size_t i = 0; i < 2; ++i) {
        size_t tail = strlen(endings[i]);
        if (length <= tail || strcmp(path + length - tail, endings[i]) != 0) continue;
        char *tar = dataset_text_print("%.*s.tar", (int)(length - tail), path);
        if (!tar) return no_memory(err);
        *beside = file_exists(tar);
        free(tar);
    }
    return true;
}

/* Groups of which nothing remains go, too. */
static bool drop_beside_shards(dataset_paths *p, error *err)
{
    int kept = 0, groups = 0, last = -1;
    bool beside, done = true;
    for (int i = 0; i < p->count; ++i) {
        int group = p->group[i];
        done = done && look_beside(p->path[i], &beside, err);
        if (done && beside) {
            free(p->path[i]);
            continue;
        }
        groups += group != last;
        last = group;
        p->weight[groups - 1] = p->weight[group];
        p->group[kept] = groups - 1;
        p->path[kept++] = p->path[i];
    }
    p->count = kept;
    p->group_count = groups;
    return done;
}

bool dataset_paths_expand(const char *const *given, int count, dataset_paths *out, error *err)
{
    *out = (dataset_paths){ 0 };
    bool done = true;
    for (int i = 0; done && i < count; ++i) done = expand_lines(out, given[i], err);
    if (done && out->count > 1) done = drop_beside_shards(out, err);
    if (done && out->count == 0)
        done = error_set(err, ERROR_USAGE, "no data set is given; name a tar or a folder");
    if (!done) dataset_paths_free(out);
    return done;
}

bool dataset_paths_check(const char *const *given, int count, error *err)
{
    dataset_paths p;
    if (!dataset_paths_expand(given, count, &p, err)) return false;
    bool done = true;
    for (int i = 0; done && i < p.count; ++i) {
        const char *options = source_options_find(p.path[i]);
        char *file = strndup(p.path[i], options ? (size_t)(options - p.path[i] - 1) : strlen(p.path[i]));
        file_kind kind;
        done = file ? file_look(file, &kind, err) : no_memory(err);
        if (done && kind == FILE_ABSENT)
            done = error_set(err, ERROR_USAGE, "there is no data set '%s'", file);
        free(file);
    }
    dataset_paths_free(&p);
    return done;
}

dataset *dataset_paths_open(const char *const *given, int count, bool need_captions, error *err)
{
    const dataset_options how = { .need_captions = need_captions };
    dataset_paths p;
    if (!dataset_paths_expand(given, count, &p, err)) return NULL;
    if (p.weighted) log_warn("weights ('@') count in training alone; here every sample counts alike");
    dataset *d = dataset_open_with((const char *const *)p.path, p.count, &how, err);
    dataset_paths_free(&p);
    return d;
}

/* ---- As one text ------------------------------------------------------------------------------------ */

/* The real path where it is one; else that of the folder before the first sign that stands for others. */
static char *absolute_one(const char *given)
{
    char full[PATH_MAX];
    if (realpath(given, full)) return strdup(full);
    size_t folder = 0, meant = strcspn(given, "{*?[@");
    if (!given[meant]) return strdup(given);
    for (size_t i = 0; i < meant && given[i]; ++i)
        if (given[i] == '/') folder = i + 1;
    char *before = folder ? strndup(given, folder) : strdup("."), *made = NULL;
    bool found = before && realpath(before, full);
    if (before)
        made = dataset_text_print("%s%s%s", found ? full : "", found && strcmp(full, "/") != 0 ? "/" : "",
                                  found ? given + folder : given);
    free(before);
    return made;
}

char *dataset_paths_absolute(const char *given)
{
    char *made = NULL;
    if (!strchr(given, '\n') || file_exists(given)) return absolute_one(given);
    for (const char *line = given; *line; line += *line == '\n') {
        size_t length = strcspn(line, "\n");
        char *one = strndup(line, length), *full = one ? absolute_one(one) : NULL, *longer = NULL;
        if (full) longer = dataset_text_print("%s%s%s", made ? made : "", made ? "\n" : "", full);
        free(one);
        free(full);
        free(made);
        if (!(made = longer)) return NULL;
        line += length;
    }
    return made ? made : strdup("");
}

/* labels.c -- see labels.h.
 * SPDX-License-Identifier: MIT */
#include "app/cli/labels.h"

#include "host/base/file.h"
#include "host/base/log.h"
#include "host/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES (16 << 20)
enum { NAMED = 5, MOST_FOLDER = 1024 };

typedef struct entry {
    char *plain; /* lower case, words parted by one space */
    int label;
} entry;

struct labels {
    char *text; /* labels end with NUL */
    const char **list;
    entry *sorted; /* by `plain` */
    int count;
};

/* ---- Alike ---- */

/* To be freed; NULL when memory is out. */
static char *make_plain(const char *text)
{
    char *out = malloc(4 * strlen(text) + 1), *to = out; /* a lower-case letter may be longer */
    if (!out) return NULL;
    for (const char *at = text; *at;) {
        uint32_t c = utf8_lower(utf8_next(&at));
        if (c == '_' || c == '-' || c == ' ' || c == '\t') {
            if (to > out && to[-1] != ' ') *to++ = ' ';
        } else {
            to += utf8_put(c, to);
        }
    }
    while (to > out && to[-1] == ' ') --to;
    *to = 0;
    if (to == out) strcpy(out, text); /* "-" is a label, and not what is no text at all */
    return out;
}

static int by_plain(const void *a, const void *b)
{
    const entry *l = a, *r = b;
    int order = strcmp(l->plain, r->plain);
    return order ? order : l->label - r->label;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->plain, ((const entry *)b)->plain);
}

static int by_label(const void *a, const void *b)
{
    return ((const entry *)a)->label - ((const entry *)b)->label;
}

/* ---- Reading ---- */

static char *trim(char *line)
{
    line += strspn(line, " \t\r");
    size_t length = strlen(line);
    while (length && strchr(" \t\r", line[length - 1])) line[--length] = 0;
    return line;
}

static bool split(labels *l, char separator, const char *where, error *err)
{
    const bool file = separator == '\n';
    size_t room = 2;
    int line = 0;
    for (const char *at = l->text; *at; ++at) room += *at == separator;
    if (!(l->list = malloc(room * sizeof *l->list)))
        return error_set(err, ERROR_MEMORY, "out of memory for the labels of '%s'", where);
    char *from = strncmp(l->text, "\xef\xbb\xbf", 3) == 0 ? l->text + 3 : l->text;
    for (char *next; from; from = next) {
        next = strchr(from, separator);
        if (next) *next++ = 0;
        ++line;
        char *label = trim(from);
        if (utf8_check(label) >= 0)
            return error_set(err, ERROR_FORMAT, "%s:%d: a label is not valid UTF-8", where, line);
        if (!utf8_is_blank(label) && !(file && *label == '#')) l->list[l->count++] = label;
    }
    return true;
}

static bool read_text(labels *l, const char *given, bool file, error *err)
{
    size_t size = 0;
    if (!file) {
        l->text = strdup(given);
        return l->text || error_set(err, ERROR_MEMORY, "out of memory for the labels");
    }
    if (!(l->text = file_read_most(given, MOST_BYTES, &size, err))) return false;
    return strlen(l->text) == size ||
           error_set(err, ERROR_FORMAT, "'%s' holds a zero byte; labels are lines of text", given);
}

static bool looks_like_path(const char *text)
{
    const char *dot = strrchr(text, '.');
    return !strchr(text, ',') && (strchr(text, '/') || (dot && dot[1] && !strchr(dot, ' ')));
}

/* ---- Those that come again ---- */

static bool sort(labels *l, error *err)
{
    if (!(l->sorted = calloc((size_t)l->count + 1, sizeof *l->sorted)))
        return error_set(err, ERROR_MEMORY, "out of memory for %d labels", l->count);
    for (int i = 0; i < l->count; ++i) {
        l->sorted[i] = (entry){ make_plain(l->list[i]), i };
        if (!l->sorted[i].plain) return error_set(err, ERROR_MEMORY, "out of memory for %d labels", l->count);
    }
    qsort(l->sorted, (size_t)l->count, sizeof *l->sorted, by_plain);
    return true;
}

/* Keeps the first of those alike; the others are no labels then. */
static void drop_doubles(labels *l)
{
    int kept = 0, doubles = 0;
    for (int i = 0; i < l->count; ++i) {
        entry *e = &l->sorted[i];
        if (kept == 0 || strcmp(l->sorted[kept - 1].plain, e->plain) != 0) {
            l->sorted[kept++] = *e;
        } else {
            if (++doubles <= NAMED)
                log_warn("the label '%s' comes again, as '%s'; it counts once",
                         l->list[l->sorted[kept - 1].label], l->list[e->label]);
            free(e->plain);
        }
    }
    if (doubles > NAMED) log_warn("%d labels come again; each counts once", doubles);
    memset(l->sorted + kept, 0, (size_t)(l->count - kept) * sizeof *l->sorted);
    l->count = kept;
    /* Labels move together, in the order in which they were given. */
    qsort(l->sorted, (size_t)kept, sizeof *l->sorted, by_label);
    for (int i = 0; i < kept; ++i) {
        l->list[i] = l->list[l->sorted[i].label];
        l->sorted[i].label = i;
    }
    qsort(l->sorted, (size_t)kept, sizeof *l->sorted, by_plain);
}

static bool check_count(const labels *l, const char *given, error *err)
{
    if (l->count == 0) return error_set(err, ERROR_USAGE, "'%s' has no label", given);
    return l->count > 1 ||
           error_set(err, ERROR_USAGE,
                     "'%s' has one label, '%s', and there is nothing to tell it from: name two at least, or "
                     "compare pictures with one text by 'dalle-cl score'",
                     given, l->list[0]);
}

labels *labels_open(const char *given, error *err)
{
    bool file = file_exists(given);
    if (file && file_is_folder(given))
        return error_null(err, ERROR_USAGE, "'%s' is a folder; labels stand in a file, one a line", given);
    if (!file && looks_like_path(given))
        return error_null(err, ERROR_USAGE,
                          "there is no file '%s' of labels; as a list they are written 'cat, dog, red car'",
                          given);
    labels *l = calloc(1, sizeof *l);
    bool ok = l ? true : error_set(err, ERROR_MEMORY, "out of memory for the labels");
    ok = ok && read_text(l, given, file, err) && split(l, file ? '\n' : ',', given, err) && sort(l, err);
    if (ok) drop_doubles(l);
    if (ok && check_count(l, given, err)) return l;
    labels_close(l);
    return NULL;
}

void labels_close(labels *l)
{
    if (!l) return;
    for (int i = 0; l->sorted && i < l->count; ++i) free(l->sorted[i].plain);
    free(l->sorted);
    free(l->list);
    free(l->text);
    free(l);
}

int labels_count(const labels *l)
{
    return l->count;
}

const char *const *labels_list(const labels *l)
{
    return l->list;
}

/* ---- Whose ---- */

bool labels_find(const labels *l, const char *text, int *label, error *err)
{
    *label = -1;
    if (utf8_check(text) >= 0) return true;
    entry key = { make_plain(text), 0 };
    if (!key.plain) return error_set(err, ERROR_MEMORY, "out of memory for a label");
    const entry *e = bsearch(&key, l->sorted, (size_t)l->count, sizeof *l->sorted, by_text);
    if (e) *label = e->label;
    free(key.plain);
    return true;
}

/* `all`: the innermost of the folders that a file lies in that is a label; else the path's last part.
 * Or -1. */
static bool find_folder(const labels *l, const char *path, bool all, int *label, error *err)
{
    size_t end = strlen(path);
    char folder[MOST_FOLDER];
    *label = -1;
    while (all && end > 0 && path[end - 1] != '/') --end;
    for (;;) {
        while (end > 0 && path[end - 1] == '/') --end;
        size_t from = end;
        while (from > 0 && path[from - 1] != '/') --from;
        if (from == end) return true;
        snprintf(folder, sizeof folder, "%.*s", (int)(end - from), path + from);
        if (!labels_find(l, folder, label, err)) return false;
        if (*label >= 0 || !all) return true;
        end = from;
    }
}

bool labels_of(const labels *l, const collection_item *item, int *label, error *err)
{
    if (!find_folder(l, item->sample.key, true, label, err) ||
        (*label < 0 && !find_folder(l, item->source, false, label, err)))
        return false;
    for (int i = 0; *label < 0 && i < item->sample.caption_count; ++i)
        if (!labels_find(l, item->sample.captions[i], label, err)) return false;
    return true;
}

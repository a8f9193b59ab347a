/* wordings.c -- captions to draw, with the picture that each should give; see wordings.h.
 * SPDX-License-Identifier: MIT */
#include "tools/wordings.h"
#include "host/base/file.h"
#include "tools/gallery.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_LINE "key\tname\twording"

static bool wordings_open(wordings *w, int64_t room, error *err)
{
    *w = (wordings){ .memory = arena_create() };
    if (w->memory) w->items = arena_alloc(w->memory, (size_t)(room + 1) * sizeof *w->items);
    if (w->items) return true;
    return error_set(err, ERROR_MEMORY, "no memory for %lld captions", (long long)room);
}

void wordings_close(wordings *w)
{
    arena_destroy(w->memory);
    *w = (wordings){ 0 };
}

static bool is_trained(const dataset *set, const char *text)
{
    for (int64_t i = 0; i < dataset_count(set); ++i) {
        const dataset_sample *sample = dataset_at(set, i);
        if (strcasecmp(sample->caption, text) == 0) return true;
        for (int k = 0; k < sample->keyword_count; ++k)
            if (strcasecmp(sample->keywords[k], text) == 0) return true;
    }
    return false;
}

static bool check_picture(wording *item, const dataset *set, error *err)
{
    item->picture = -1;
    if (strcmp(item->key, "-") == 0) return true;
    item->picture = dataset_find(set, item->key);
    if (item->picture < 0) return error_set(err, ERROR_FORMAT, "the data set has no picture '%s'", item->key);
    const dataset_sample *sample = dataset_at(set, item->picture);
    if (!gallery_is_real(sample))
        return error_set(err, ERROR_FORMAT, "'%s' is another picture in other colours; name that one",
                         item->key);
    if (strcmp(sample->caption, item->name) == 0) return true;
    return error_set(err, ERROR_FORMAT, "the data set calls '%s' '%s', not '%s'", item->key, sample->caption,
                     item->name);
}

/* Cuts the line at its tabs. */
static bool read_line(wordings *w, char *line, const dataset *set, error *err)
{
    wording *item = &w->items[w->count];
    char *name = strchr(line, '\t'), *text = name ? strchr(name + 1, '\t') : NULL;
    if (!text || strchr(text + 1, '\t'))
        return error_set(err, ERROR_FORMAT,
                         "not three columns: key, exact name and wording, with tabs between");
    *name++ = 0;
    *text++ = 0;
    *item = (wording){ .key = line, .name = name, .text = text };
    if (!line[0] || !name[0] || text[strspn(text, " ")] == 0)
        return error_set(err, ERROR_FORMAT, "an empty column; '-' stands for the key and name of no picture");
    if (!check_picture(item, set, err)) return false;
    for (int64_t i = 0; i < w->count; ++i)
        if (strcasecmp(w->items[i].text, text) == 0)
            return error_set(err, ERROR_FORMAT, "the wording '%s' stands in the file twice", text);
    item->trained = is_trained(set, text);
    ++w->count;
    return true;
}

static bool read_lines(wordings *w, char *text, const dataset *set, int *number, error *err)
{
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line[strcspn(line, "\r")] = 0;
        bool is_first = ++*number == 1;
        if (is_first && strcmp(line, FIRST_LINE) != 0)
            return error_set(err, ERROR_FORMAT,
                             "the first line is not 'key', 'name', 'wording' with tabs between");
        if (!is_first && line[0] && !read_line(w, line, set, err)) return false;
    }
    return w->count > 0 || error_set(err, ERROR_FORMAT, "no wordings follow the first line");
}

bool wordings_read(wordings *w, const char *path, const dataset *set, error *err)
{
    size_t size = 0;
    int line = 0;
    *w = (wordings){ 0 };
    char *text = file_read(path, &size, err);
    if (!text) return false;
    int64_t lines = 1;
    for (const char *at = text; (at = strchr(at, '\n')); ++at) ++lines;
    bool ok = wordings_open(w, lines, err);
    char *kept = ok ? arena_strdup(w->memory, text) : NULL;
    if (ok && !kept) ok = error_set(err, ERROR_MEMORY, "no memory for '%s'", path);
    if (ok && strlen(kept) != size)
        ok = error_set(err, ERROR_FORMAT, "%s: not a text: byte %zu is zero", path, strlen(kept));
    else if (ok && !read_lines(w, kept, set, &line, err))
        ok = error_prefix(err, "%s:%d", path, line);
    free(text);
    if (!ok) wordings_close(w);
    return ok;
}

static bool select_split(const dataset *set, const char *text, dataset_selection *of, error *err)
{
    char split[64], rest;
    double holdout = 0;
    unsigned long long seed = 0;
    int fields = sscanf(text, "%63[^:]:%lf:%llu%c", split, &holdout, &seed, &rest);
    if (fields == 3 || (fields == 1 && !strchr(text, ':')))
        return dataset_select(set, split, holdout, seed, holdout > 0, of, err);
    return error_set(err, ERROR_USAGE, "'%s' is neither SPLIT nor SPLIT:HOLDOUT:SEED", text);
}

bool wordings_of_split(wordings *w, const char *split, const dataset *set, error *err)
{
    dataset_selection of = { 0 };
    *w = (wordings){ 0 };
    bool ok = select_split(set, split, &of, err) && wordings_open(w, of.count, err);
    for (int64_t i = 0; ok && i < of.count; ++i) {
        const dataset_sample *sample = dataset_at(set, of.index[i]);
        if (!gallery_is_real(sample)) continue;
        w->items[w->count++] = (wording){ sample->key, sample->caption, sample->caption, of.index[i], true };
    }
    if (ok && w->count == 0)
        ok = error_set(err, ERROR_USAGE, "split '%s' has only pictures in other colours", split);
    dataset_selection_free(&of);
    if (!ok) wordings_close(w);
    return ok;
}

void wordings_to_names(wordings *w)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < w->count; ++i) {
        bool known = w->items[i].picture < 0;
        for (int64_t j = 0; j < kept; ++j) known = known || w->items[j].picture == w->items[i].picture;
        if (known) continue;
        w->items[kept] = w->items[i];
        w->items[kept].text = w->items[kept].name;
        w->items[kept++].trained = true;
    }
    w->count = kept;
}

void wordings_thin(wordings *w, int64_t number)
{
    if (number <= 0 || number >= w->count) return;
    for (int64_t i = 0; i < number; ++i) w->items[i] = w->items[i * w->count / number];
    w->count = number;
}

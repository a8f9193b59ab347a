/* dataset_options.c -- see dataset_options.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_options.h"
#include "host/base/file.h"
#include <string.h>

static const struct {
    const char *key;
    unsigned of; /* the kinds of source that take it */
} known[] = {
    { "picture", SOURCE_OPTIONS_PARTS },     { "caption", SOURCE_OPTIONS_PARTS | SOURCE_OPTIONS_TABLE },
    { "path", SOURCE_OPTIONS_TABLE },        { "separator", SOURCE_OPTIONS_TABLE },
    { "pictures", SOURCE_OPTIONS_PICTURES }, { "cut", SOURCE_OPTIONS_CUT },
};
enum { KNOWN = sizeof known / sizeof *known };

const char *source_options_find(const char *path)
{
    const char *mark = strrchr(path, '?');
    if (!mark || mark == path) return NULL;
    size_t key = strspn(mark + 1, "abcdefghijklmnopqrstuvwxyz");
    return key > 0 && mark[1 + key] == '=' && !file_exists(path) ? mark + 1 : NULL;
}

char *source_options_cut(const char *path)
{
    const char *options = source_options_find(path);
    return options ? strndup(path, (size_t)(options - path) - 1) : strdup(path);
}

static bool unknown(const char *key, error *err)
{
    return error_set(
        err, ERROR_USAGE,
        "unknown option '%s' behind '?'; there are picture, caption (of tars and folders), path, "
        "caption, separator, pictures (of tables), pictures (of COCO's captions), cut (of tars)",
        key);
}

static bool take_separator(const char *value, char *out, error *err)
{
    static const char *const names[] = { "comma", "semicolon", "tab", "pipe" };
    static const char signs[] = ",;\t|";
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        if (strcmp(value, names[i]) == 0 || (value[0] == signs[i] && !value[1])) *out = signs[i];
    return *out ||
           error_set(err, ERROR_USAGE, "separator '%s' is none of comma, semicolon, tab, pipe", value);
}

static bool take(source_options *o, const char *key, const char *value, error *err)
{
    if (!*value) return error_set(err, ERROR_USAGE, "the option '%s' behind '?' has no value", key);
    if (strcmp(key, "picture") == 0) return o->picture = value, true;
    if (strcmp(key, "caption") == 0) return o->caption = value, true;
    if (strcmp(key, "path") == 0) return o->path = value, true;
    if (strcmp(key, "pictures") == 0) return o->pictures = value, true;
    if (strcmp(key, "separator") == 0) return take_separator(value, &o->separator, err);
    if (strcmp(key, "cut") != 0) return unknown(key, err);
    if (strcmp(value, "use") != 0) return error_set(err, ERROR_USAGE, "cut=%s: only cut=use is known", value);
    return o->cut = true;
}

bool source_options_read(arena *memory, const char *path, source_options *out, error *err)
{
    *out = (source_options){ .file = path };
    const char *options = source_options_find(path);
    if (!options) return true;
    char *file = arena_strdup(memory, path), *text = arena_strdup(memory, options), *next;
    out->file = file;
    out->given = arena_strdup(memory, options);
    if (!file || !text || !out->given) return error_set(err, ERROR_MEMORY, "no memory for '%s'", path);
    file[options - path - 1] = 0;
    for (char *option = text; option; option = next) {
        if ((next = strchr(option, '&'))) *next++ = 0;
        char *value = strchr(option, '=');
        if (value) *value++ = 0;
        if (!take(out, option, value ? value : "", err)) return error_prefix(err, "%s", path);
    }
    return true;
}

static bool is_given(const source_options *o, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = o->given; at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL)
        if (strncmp(at, key, length) == 0 && at[length] == '=') return true;
    return false;
}

bool source_options_fit(const source_options *o, unsigned takes, error *err)
{
    for (int i = 0; i < KNOWN; ++i)
        if (!(known[i].of & takes) && is_given(o, known[i].key))
            return error_set(err, ERROR_USAGE, "%s: the option '%s' is for %s", o->file, known[i].key,
                             known[i].of == SOURCE_OPTIONS_CUT ? "tars"
                             : known[i].of & SOURCE_OPTIONS_PARTS
                                 ? "the names in tars and folders, or a table's columns"
                             : known[i].of & SOURCE_OPTIONS_TABLE ? "tables (CSV, TSV)"
                                                                  : "tables and COCO's captions");
    if ((takes & SOURCE_OPTIONS_PARTS) && o->caption && !o->picture)
        return error_set(err, ERROR_USAGE, "%s: 'caption' names a part of its names; name 'picture', too",
                         o->file);
    return true;
}

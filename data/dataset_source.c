/* dataset_source.c -- what folders and tars share: names, and the list of members.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_source.h"
#include "host/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct {
    const char *ending;
    member_kind kind;
    bool foreign;
} endings[] = {
    { ".png", MEMBER_PICTURE, false },  { ".jpg", MEMBER_PICTURE, false },
    { ".jpeg", MEMBER_PICTURE, false }, { ".jpe", MEMBER_PICTURE, false },
    { ".jfif", MEMBER_PICTURE, false }, { ".txt", MEMBER_CAPTION, false },
    { ".json", MEMBER_DETAILS, false }, { ".webp", MEMBER_PICTURE, true },
    { ".gif", MEMBER_PICTURE, true },   { ".bmp", MEMBER_PICTURE, true },
    { ".tif", MEMBER_PICTURE, true },   { ".tiff", MEMBER_PICTURE, true },
    { ".heic", MEMBER_PICTURE, true },  { ".heif", MEMBER_PICTURE, true },
    { ".avif", MEMBER_PICTURE, true },  { ".jxl", MEMBER_PICTURE, true },
    { ".jp2", MEMBER_PICTURE, true },   { ".apng", MEMBER_PICTURE, true },
    { ".ppm", MEMBER_PICTURE, true },   { ".pgm", MEMBER_PICTURE, true },
    { ".svg", MEMBER_PICTURE, true },
};

/* Whether a part of the path starts with a dot, as .git and macOS's ._name do, or is macOS's folder. */
static bool is_hidden(const char *name)
{
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (*part == '.' && part[1] != '/' && strncmp(part, "../", 3) != 0) return true;
        if (strncmp(part, "__MACOSX/", 9) == 0) return true;
    }
    return false;
}

static const char *base_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* Whether a name's part is the one that is asked for, with or without its ending. */
static bool is_part(const char *part, const char *wanted, member_kind kind)
{
    size_t length = strlen(wanted);
    if (strncasecmp(part, wanted, length) != 0) return false;
    if (!part[length]) return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i)
        if (endings[i].kind == kind && strcasecmp(part + length, endings[i].ending) == 0) return true;
    return false;
}

/* By what stands behind the first dot, as WebDataset has it: "7.input.jpg" is sample 7's part "input.jpg". */
static bool part_kind(const source_options *o, const char *name, member *m)
{
    const char *dot = strchr(base_of(name), '.');
    if (!dot || dot == base_of(name) || is_hidden(name)) return false;
    m->key_length = m->stem_length = (size_t)(dot - name);
    m->foreign = false;
    m->kind = MEMBER_PICTURE;
    if (is_part(dot + 1, o->picture, m->kind)) return true;
    m->kind = MEMBER_CAPTION;
    if (o->caption && is_part(dot + 1, o->caption, m->kind)) return true;
    m->kind = MEMBER_DETAILS;
    return strcasecmp(dot, ".json") == 0;
}

bool source_is_picture(const char *name)
{
    member m;
    return source_kind(name, &m) && m.kind == MEMBER_PICTURE;
}

bool source_kind_in(const member_list *list, const char *name, member *m)
{
    const source_options *o = list->options;
    return o && o->picture ? part_kind(o, name, m) : source_kind(name, m);
}

bool source_kind(const char *name, member *m)
{
    const char *base = base_of(name), *last = strrchr(base, '.');
    if (!last || last == base || is_hidden(name)) return false;
    m->key_length = (size_t)(last - name);
    m->stem_length = (size_t)(strchr(base, '.') - name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
        if (strcasecmp(last, endings[i].ending) != 0) continue;
        m->kind = endings[i].kind;
        m->foreign = endings[i].foreign;
        return true;
    }
    return false;
}

int64_t source_limit(member_kind kind)
{
    return kind == MEMBER_CAPTION   ? SOURCE_MAX_CAPTIONS
           : kind == MEMBER_DETAILS ? SOURCE_MAX_DETAILS
                                    : SOURCE_MAX_PICTURE;
}

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory to list a data set's files");
}

static bool over(member_list *list, error *err)
{
    list->over = true;
    return error_set(err, ERROR_MEMORY, "a data set is too large to be listed in memory");
}

bool source_hold(member_list *list, int64_t bytes, error *err)
{
    list->held += bytes;
    return !list->most_held || list->held <= list->most_held || over(list, err);
}

bool source_add(member_list *list, const member *m, error *err)
{
    list->pictures += m->kind == MEMBER_PICTURE;
    if (list->most_pictures && list->pictures > list->most_pictures) return over(list, err);
    if (list->count == list->room) {
        int64_t room = list->room ? 2 * list->room : 1024;
        member *larger = realloc(list->items, (size_t)room * sizeof *larger);
        if (!larger) return no_memory(err);
        list->items = larger;
        list->room = room;
    }
    char *key = arena_strdup(list->memory, m->name);
    if (!key) return no_memory(err);
    key[m->key_length] = 0;
    list->items[list->count] = *m;
    list->items[list->count].key = key;
    list->items[list->count].order = list->count;
    ++list->count;
    return true;
}

bool source_leave_out(member_list *list, int source, const char *name, const char *why, error *err)
{
    if (list->left_out_count == list->left_out_room) {
        int64_t room = list->left_out_room ? 2 * list->left_out_room : 16;
        const char **larger = realloc(list->left_out, (size_t)room * sizeof *larger);
        if (!larger) return no_memory(err);
        list->left_out = larger;
        list->left_out_room = room;
    }
    const char *where = list->paths ? list->paths[source] : NULL;
    const char *line =
        arena_printf(list->memory, "%s%s%s: %s", where ? where : "", where ? ": " : "", name, why);
    if (!line) return no_memory(err);
    list->left_out[list->left_out_count++] = line;
    return true;
}

void source_free(member_list *list)
{
    free(list->items);
    free(list->left_out);
    *list = (member_list){ 0 };
}

bool source_read(int file, int64_t offset, int64_t size, void *into, const char *what, error *err)
{
    for (int64_t got = 0; got < size;) {
        ssize_t part = pread(file, (char *)into + got, (size_t)(size - got), (off_t)(offset + got));
        if (part < 0 && errno == EINTR) continue;
        if (part <= 0)
            return error_set(err, ERROR_IO, "%s: cannot be read: %s", what,
                             part ? strerror(errno) : "the file got shorter");
        got += part;
    }
    return true;
}

/* ---- Which kind of source --------------------------------------------------------------------------- */

typedef enum source_form { FORM_TAR, FORM_TABLE, FORM_COCO, FORM_PARQUET } source_form;

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length > tail && strcasecmp(name + length - tail, ending) == 0;
}

/* Tables and JSON have no mark of their own, so that the name or the options have to tell. */
static source_form form_of(const source_options *o, int file)
{
    char start[8];
    bool parquet = pread(file, start, sizeof start, 0) == sizeof start && memcmp(start, "PAR1", 4) == 0;
    if (parquet || ends_with(o->file, ".parquet")) return FORM_PARQUET;
    if (ends_with(o->file, ".csv") || ends_with(o->file, ".tsv") || o->path) return FORM_TABLE;
    return ends_with(o->file, ".json") ? FORM_COCO : FORM_TAR;
}

bool source_is_tar(const char *path)
{
    const source_options o = { .file = path };
    if (source_options_find(path) || file_is_folder(path)) return false;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool tar = form_of(&o, file) == FORM_TAR;
    close(file);
    return tar;
}

static bool list_file(member_list *list, int source, int *file, error *err)
{
    const source_options *o = list->options;
    *file = open(o->file, O_RDONLY | O_CLOEXEC);
    if (*file < 0)
        return error_set(err, ERROR_IO, "cannot open '%s': %s%s", o->file, strerror(errno),
                         o->given ? "; what stands behind '?' was taken for options" : "");
    source_form form = form_of(o, *file);
    static const unsigned fits[] = { [FORM_TAR] = SOURCE_OPTIONS_PARTS | SOURCE_OPTIONS_CUT,
                                     [FORM_TABLE] = SOURCE_OPTIONS_TABLE | SOURCE_OPTIONS_PICTURES,
                                     [FORM_COCO] = SOURCE_OPTIONS_PICTURES,
                                     [FORM_PARQUET] = ~0u };
    if (!source_options_fit(o, fits[form], err)) return false;
    if (form == FORM_TAR) return source_tar(list, o->file, *file, source, err);
    close(*file);
    *file = -1;
    if (form == FORM_TABLE) return source_table(list, o->file, source, err);
    if (form == FORM_COCO) return source_coco(list, o->file, source, err);
    return error_set(
        err, ERROR_FORMAT,
        "%s: is a Parquet list, which is not read; 'python3 tools/parquet_to_csv.py %s list.csv' "
        "makes a CSV of it, which is",
        o->file, o->file);
}

bool source_list(member_list *list, const char *path, int source, int *file, error *err)
{
    source_options options;
    *file = -1;
    if (!source_options_read(list->memory, path, &options, err)) return false;
    bool lenient = list->lenient;
    list->options = &options;
    list->lenient = lenient || options.cut;
    bool done = file_is_folder(options.file) ? source_options_fit(&options, SOURCE_OPTIONS_PARTS, err) &&
                                                   source_folder(list, options.file, source, err)
                                             : list_file(list, source, file, err);
    list->options = NULL;
    list->lenient = lenient;
    return done;
}

/* dataset_source.c -- what folders and tars share: names, and the list of members.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_source.h"
#include <errno.h>
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

bool source_kind(const char *name, member *m)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    const char *last = strrchr(base, '.');
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

bool source_add(member_list *list, const member *m, error *err)
{
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

bool source_leave_out(member_list *list, const char *name, const char *why, error *err)
{
    if (list->left_out_count == list->left_out_room) {
        int64_t room = list->left_out_room ? 2 * list->left_out_room : 16;
        const char **larger = realloc(list->left_out, (size_t)room * sizeof *larger);
        if (!larger) return no_memory(err);
        list->left_out = larger;
        list->left_out_room = room;
    }
    const char *line = arena_printf(list->memory, "%s: %s", name, why);
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

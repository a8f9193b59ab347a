/* dataset_listing.c -- see dataset_listing.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_listing.h"
#include "data/dataset_text.h"
#include "host/base/file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for a list of pictures");
}

bool listing_begin(listing *l, error *err)
{
    *l = (listing){ .memory = arena_create() };
    return l->memory || no_memory(err);
}

void listing_free(listing *l)
{
    free(l->pictures);
    free(l->captions);
    arena_destroy(l->memory);
    *l = (listing){ 0 };
}

static char *copy(arena *memory, const char *text, size_t length)
{
    char *made = arena_alloc(memory, length + 1);
    if (made) memcpy(made, text, length);
    return made;
}

static bool add(listing_entry **items, int64_t *count, int64_t *room, const char *id, const char *text,
                error *err)
{
    if (*count == *room) {
        int64_t more = *room ? 2 * *room : 1024;
        listing_entry *larger = realloc(*items, (size_t)more * sizeof *larger);
        if (!larger) return no_memory(err);
        *items = larger;
        *room = more;
    }
    (*items)[*count] = (listing_entry){ id, text, *count };
    ++*count;
    return true;
}

bool listing_add_picture(listing *l, const char *id, const char *name, size_t length, error *err)
{
    char *text = copy(l->memory, name, length), *key = copy(l->memory, id, strlen(id));
    if (!text || !key) return no_memory(err);
    return add(&l->pictures, &l->picture_count, &l->picture_room, key, text, err);
}

bool listing_add_caption(listing *l, const char *id, const char *caption, size_t length, error *err)
{
    char *text = copy(l->memory, caption, length), *key = copy(l->memory, id, strlen(id));
    if (!text || !key) return no_memory(err);
    for (char *c = text; *c; ++c)
        if (*c == '\n' || *c == '\r') *c = ' ';
    return add(&l->captions, &l->caption_count, &l->caption_room, key, text, err);
}

/* ---- Members ------------------------------------------------------------------------------------ */

static int by_id(const void *left, const void *right)
{
    const listing_entry *a = left, *b = right;
    int order = strcmp(a->id, b->id);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* A picture with its captions. */
typedef struct group {
    const listing_entry *picture, *captions;
    int64_t count;
    bool twin; /* another picture's name differs in its ending alone, so that the key has it */
} group;

static int by_order(const void *left, const void *right)
{
    const group *a = left, *b = right;
    return (a->picture->order > b->picture->order) - (a->picture->order < b->picture->order);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const group *)left)->picture->text, ((const group *)right)->picture->text);
}

/* The name up to its ending. */
static size_t bare_length(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name, *dot = strrchr(base, '.');
    return dot && dot != base ? (size_t)(dot - name) : strlen(name);
}

static void find_twins(group *groups, int64_t count)
{
    if (count) qsort(groups, (size_t)count, sizeof *groups, by_name);
    for (int64_t i = 1; i < count; ++i) {
        const char *before = groups[i - 1].picture->text, *name = groups[i].picture->text;
        size_t length = bare_length(name);
        if (length == bare_length(before) && strncmp(name, before, length) == 0)
            groups[i - 1].twin = groups[i].twin = true;
    }
}

/* The captions as KEY.txt would have them. */
static const char *join(arena *memory, const group *g, size_t *size)
{
    *size = 0;
    for (int64_t i = 0; i < g->count; ++i) *size += strlen(g->captions[i].text) + 1;
    char *text = arena_alloc(memory, *size + 1), *at = text;
    for (int64_t i = 0; text && i < g->count; ++i) at = stpcpy(stpcpy(at, g->captions[i].text), "\n");
    return text;
}

static bool is_url(const char *name)
{
    return strncmp(name, "http://", 7) == 0 || strncmp(name, "https://", 8) == 0;
}

typedef struct maker {
    member_list *list;
    const char *folder;
    int source;
    error *err;
} maker;

/* Why there is no such picture, or NULL after setting its path and size. */
static const char *find_file(const maker *k, const char *name, member *m)
{
    struct stat about;
    bool alone = *name == '/' || !*k->folder;
    if (is_url(name)) return "is a URL; img2dataset makes shards of a list of URLs, which can be read";
    m->path = arena_printf(k->list->memory, "%s%s%s", alone ? "" : k->folder, alone ? "" : "/", name);
    if (!m->path) return NULL;
    m->name = m->path + strlen(m->path) - strlen(name);
    m->size = 0;
    if (stat(m->path, &about) != 0) return errno == ENOENT ? "there is no such picture" : strerror(errno);
    m->size = about.st_size;
    return S_ISREG(about.st_mode) ? NULL : "is not a file";
}

static bool make(const maker *k, const group *g)
{
    member m = { .source = k->source, .kind = MEMBER_PICTURE, .offset = -1 };
    const char *name = g->picture->text, *why = find_file(k, name, &m);
    if (why) return source_leave_out(k->list, k->source, name, why, k->err);
    if (!m.path) return no_memory(k->err);
    m.key_length = m.stem_length = g->twin ? strlen(m.name) : bare_length(m.name);
    if (!source_add(k->list, &m, k->err)) return false;
    if (g->count == 0) return true;
    size_t size;
    m.kind = MEMBER_CAPTION;
    m.path = NULL;
    m.text = join(k->list->memory, g, &size);
    m.size = (int64_t)size;
    return m.text ? source_add(k->list, &m, k->err) : no_memory(k->err);
}

/* Pictures that come again are one; captions of none are left out. */
static bool pair_up(const listing *l, const maker *k, group *groups, int64_t *count)
{
    int64_t c = 0;
    *count = 0;
    for (int64_t i = 0; i < l->picture_count; ++i) {
        const listing_entry *picture = &l->pictures[i];
        if (i > 0 && strcmp(picture->id, picture[-1].id) == 0) continue;
        for (; c < l->caption_count && strcmp(l->captions[c].id, picture->id) < 0; ++c)
            if (!source_leave_out(k->list, k->source, l->captions[c].text, "a caption of no picture", k->err))
                return false;
        group *g = &groups[(*count)++];
        *g = (group){ .picture = picture, .captions = l->captions ? l->captions + c : NULL };
        for (; c < l->caption_count && strcmp(l->captions[c].id, picture->id) == 0; ++c) ++g->count;
    }
    for (; c < l->caption_count; ++c)
        if (!source_leave_out(k->list, k->source, l->captions[c].text, "a caption of no picture", k->err))
            return false;
    return true;
}

bool listing_make(listing *l, member_list *list, const char *folder, int source, error *err)
{
    const maker k = { list, folder, source, err };
    int64_t count = 0;
    group *groups = malloc((size_t)(l->picture_count + 1) * sizeof *groups);
    if (!groups) return no_memory(err);
    if (l->picture_count) qsort(l->pictures, (size_t)l->picture_count, sizeof *l->pictures, by_id);
    if (l->caption_count) qsort(l->captions, (size_t)l->caption_count, sizeof *l->captions, by_id);
    bool done = pair_up(l, &k, groups, &count);
    if (done) find_twins(groups, count);
    if (done && count) qsort(groups, (size_t)count, sizeof *groups, by_order);
    for (int64_t i = 0; done && i < count; ++i) done = make(&k, &groups[i]);
    free(groups);
    return done;
}

char *listing_folder(const char *path, const char *further)
{
    const char *slash = strrchr(path, '/'), *folder = slash ? path : ".";
    int length = slash > path ? (int)(slash - path) : 1;
    if (further && *further == '/') return strdup(further);
    return dataset_text_print("%.*s%s%s", length, folder, further ? "/" : "", further ? further : "");
}

bool listing_check_folder(const char *path, const char *folder, error *err)
{
    return file_is_folder(folder) ||
           error_set(err, ERROR_IO, "%s: there is no folder '%s'; 'pictures' begins at the list's own folder",
                     path, folder);
}

/* dataset_link.c -- see dataset_link.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_link.h"
#include <stdlib.h>
#include <string.h>

#define MAX_CHAIN 40

/* Removes the last part of `out`, of *length bytes; false if there is none. */
static bool climb(char *out, size_t *length)
{
    if (*length == 0) return false;
    while (*length && out[*length - 1] != '/') --*length;
    if (*length) --*length;
    out[*length] = 0;
    return true;
}

/* Appends the parts of `name`; false where they lead above the first. */
static bool append(char *out, size_t *length, const char *name, size_t size)
{
    for (size_t at = 0, part; at < size; at += part + 1) {
        part = strcspn(name + at, "/");
        if (part > size - at) part = size - at;
        if (part == 0 || (part == 1 && name[at] == '.')) continue;
        if (part == 2 && strncmp(name + at, "..", 2) == 0) {
            if (!climb(out, length)) return false;
            continue;
        }
        if (*length) out[(*length)++] = '/';
        memcpy(out + *length, name + at, part);
        *length += part;
        out[*length] = 0;
    }
    return true;
}

const char *link_name(arena *memory, const char *link, const char *name, bool *no_memory)
{
    size_t folder = 0, length = 0;
    for (size_t i = 0; link && link[i]; ++i)
        if (link[i] == '/') folder = i;
    char *out = arena_alloc(memory, folder + strlen(name) + 2);
    *no_memory = !out;
    if (!out || (link && name[0] == '/')) return NULL;
    if (link && !append(out, &length, link, folder)) return NULL;
    return append(out, &length, name, strlen(name)) ? out : NULL;
}

bool link_add(link_table *table, const link_entry *entry, error *err)
{
    if (table->count == table->room) {
        int64_t room = table->room ? 2 * table->room : 1024;
        link_entry *larger = realloc(table->items, (size_t)room * sizeof *larger);
        if (!larger) return error_set(err, ERROR_MEMORY, "no memory to list a tar's members");
        table->items = larger;
        table->room = room;
    }
    table->items[table->count] = *entry;
    table->items[table->count].order = table->count;
    ++table->count;
    return true;
}

static int by_name(const void *left, const void *right)
{
    const link_entry *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

static int by_name_alone(const void *left, const void *right)
{
    return strcmp(((const link_entry *)left)->name, ((const link_entry *)right)->name);
}

/* The last member of that name, as unpacking would leave it; NULL if there is none. */
static const link_entry *find(const link_table *table, const char *name)
{
    const link_entry wanted = { .name = name }, *end = table->items + table->count;
    const link_entry *found =
        bsearch(&wanted, table->items, (size_t)table->count, sizeof wanted, by_name_alone);
    while (found && found + 1 < end && strcmp(found[1].name, name) == 0) ++found;
    return found;
}

/* The file that a chain of links ends at; NULL with the reason. */
static const link_entry *follow(const link_table *table, const link_entry *from, const char **why)
{
    for (int links = 0; links < MAX_CHAIN; ++links) {
        *why = "a link that leads out of the tar";
        if (!from->target) return NULL;
        *why = "a link to what is not in the tar";
        from = find(table, from->target);
        if (!from || !from->link) return from;
    }
    *why = "a link that leads back to itself";
    return NULL;
}

/* Text counts as often as it is linked to: of each link become a sample's captions. */
static bool is_too_much(link_table *table, const member *m)
{
    if (m->kind == MEMBER_PICTURE || m->size > source_limit(m->kind)) return false;
    if (m->size > table->most - table->taken) return true;
    table->taken += m->size;
    return false;
}

/* Copies the place or the text of a file to what is linked to it. */
static bool take(link_table *table, member_list *list, const link_entry *file, member *m, int tar,
                 const char **why, error *err)
{
    const member *other = file->item >= 0 ? &list->items[file->item] : NULL;
    m->size = file->size;
    m->offset = file->offset;
    m->place = file->place;
    m->bytes = other ? other->bytes : NULL;
    m->text = other ? other->text : NULL;
    *why = NULL;
    if (m->kind == MEMBER_PICTURE && m->size > SOURCE_MAX_PICTURE)
        *why = "a link to more bytes than are read";
    if (is_too_much(table, m)) {
        *why = "a link to text, and links lead to more of it than a tar of this size may unpack to";
        return true;
    }
    bool located = list->locate && other && other->kind == MEMBER_PICTURE;
    if (m->kind == MEMBER_PICTURE ? m->bytes || located : m->text || m->size > source_limit(m->kind))
        return true;
    if (file->offset < 0) *why = "a link, in a compressed tar, to a name of another kind";
    if (*why || m->kind == MEMBER_PICTURE) return true;
    char *text = arena_alloc(list->memory, (size_t)m->size + 1);
    if (!text) return error_set(err, ERROR_MEMORY, "no memory for what '%s' is linked to", m->name);
    m->text = text;
    return source_read(tar, m->offset, m->size, text, m->name, err);
}

bool link_resolve(link_table *table, member_list *list, int file, error *err)
{
    if (table->count) qsort(table->items, (size_t)table->count, sizeof *table->items, by_name);
    for (int64_t i = 0; i < table->count; ++i) {
        const link_entry *link = &table->items[i];
        if (!link->link || link->item < 0) continue;
        member *m = &list->items[link->item];
        const char *why;
        const link_entry *target = follow(table, link, &why);
        if (target && !take(table, list, target, m, file, &why, err)) return false;
        if (target && !why) continue;
        if (!source_leave_out(list, m->source, m->name, why, err)) return false;
        m->name = NULL;
    }
    int64_t kept = 0;
    for (int64_t i = 0; i < list->count; ++i)
        if (list->items[i].name) list->items[kept++] = list->items[i];
    list->count = kept;
    return true;
}

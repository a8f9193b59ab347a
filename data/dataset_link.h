/* dataset_link.h -- hard and symbolic links within a tar.
 * Names: link_.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_DATASET_LINK_H
#define DALLE_CL_DATA_DATASET_LINK_H

#include "data/dataset_source.h"

/* What a tar's files and links are, by name. */
typedef struct link_entry {
    const char *name;   /* without "./" and the like: link_name */
    const char *target; /* of a link: another name; NULL for a file, or a link that leads out of the tar */
    bool link;
    int64_t item;         /* in the member list, or -1 */
    int64_t offset, size; /* of a file in a plain tar, else offset < 0 */
    int64_t place;        /* of a file's bytes in the tar, as unpacked */
    int64_t order;
} link_entry;

typedef struct link_table {
    link_entry *items;
    int64_t count, room;
    int64_t most, taken; /* bytes of text that links may lead to, one as often as it is linked to */
} link_table;

/* The name without empty parts, "." and "..", after `link`'s folder if that is given: what a relative
 * symbolic link in the tar says.  NULL if it leads out of the tar, or (with *memory set) memory is out. */
const char *link_name(arena *memory, const char *link, const char *name, bool *no_memory);

bool link_add(link_table *table, const link_entry *entry, error *err);
/* Gives links in the list what they lead to; others are left out of it by name. `file` is the tar. */
bool link_resolve(link_table *table, member_list *list, int file, error *err);

#endif

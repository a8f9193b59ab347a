/* dataset_tar_name.c -- see dataset_tar_name.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_tar_name.h"
#include "data/dataset_link.h"
#include <archive_entry.h>
#include <string.h>

char *tar_name(struct archive_entry *entry)
{
    const char *given = archive_entry_pathname_utf8(entry);
    if (!given) given = archive_entry_pathname(entry);
    if (!given) given = "";
    bool no_memory;
    arena *memory = arena_create();
    const char *name = memory ? link_name(memory, NULL, given, &no_memory) : NULL;
    char *copy = NULL;
    if (name || (memory && !no_memory)) copy = strdup(name ? name : given); /* leads above the tar's root */
    arena_destroy(memory);
    return copy;
}

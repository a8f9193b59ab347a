/* emoji_list.h -- emoji in the order of Unicode's emoji-test.txt, with CLDR's keywords.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_LIST_H
#define DALLE_CL_DATA_EMOJI_LIST_H

#include "host/base/arena.h"
#include "host/base/error.h"
#include <stdint.h>

#define EMOJI_MAX_POINTS 16

typedef struct emoji_entry {
    const char *key;        /* "e1f44b-1f3ff" */
    const char *codepoints; /* "1F44B 1F3FF" */
    const char *caption, *group, *subgroup;
    const char *keywords; /* "a|b|c", or "" */
    uint32_t points[EMOJI_MAX_POINTS];
    int point_count;
    bool skin_tone, held_out;
} emoji_entry;

typedef struct emoji_list {
    arena *memory;
    emoji_entry *entries;
    int count;
} emoji_list;

/* The fully qualified emoji of emoji-test.txt. */
bool emoji_list_read(emoji_list *list, const char *path, error *err);
void emoji_list_free(emoji_list *list);
/* Fills in keywords from one of CLDR's annotation files; entries that have some keep them. */
bool emoji_list_keywords(emoji_list *list, const char *path, error *err);

#endif

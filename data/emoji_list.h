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
    const char *keywords;  /* "a|b|c", or "" */
    const char *names;     /* what other kinds of English call it, in the same form */
    const char *further;   /* keywords that only those have */
    const char **captions; /* further ones, of the list's memory; emoji_caption.h fills them in */
    int caption_count;
    uint32_t points[EMOJI_MAX_POINTS];
    int point_count;
    bool skin_tone, held_out;
    const struct emoji_hue *recolour; /* its picture is that of `original` in this colour; NULL = as it is */
    int original;                     /* an index of the list */
} emoji_entry;

typedef struct emoji_list {
    arena *memory;
    emoji_entry *entries;
    int count;
} emoji_list;

/* The fully qualified emoji of emoji-test.txt. */
bool emoji_list_read(emoji_list *list, const char *path, error *err);
void emoji_list_free(emoji_list *list);
/* Fills in keywords from one of CLDR's annotation files; entries that have some keep them, and what is new
 * in the file goes to `names` and `further`. */
bool emoji_list_keywords(emoji_list *list, const char *path, error *err);
/* Whether `word` is one of "a|b|c". */
bool emoji_list_has(const char *words, const char *word);

#endif

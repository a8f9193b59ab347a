/* emoji_phrase.h -- what people would call an emoji, made from its name, its place in the list, CLDR's
 * words and tables of ours (emoji_names.def, emoji_seen.def, emoji_parts.def, emoji_country.def).
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_PHRASE_H
#define DALLE_CL_DATA_EMOJI_PHRASE_H

#include "data/emoji_list.h"

/* How good a phrase's claim is where several pictures would have it. */
typedef enum phrase_claim { CLAIM_NAME, CLAIM_GIVEN, CLAIM_TURNED, CLAIM_KEYWORD } phrase_claim;

typedef struct phrase {
    const char *text;
    phrase_claim claim;
} phrase;

typedef struct phrase_list {
    arena *memory; /* the texts' owner */
    phrase *items; /* malloc'ed */
    int count, room;
    bool no_memory;
} phrase_list;

/* Adds a phrase unless it is too long or there already; drops apostrophes and quotes no keyboard has. */
void emoji_phrase_add(phrase_list *list, phrase_claim claim, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of an emoji without skin tones; `colour` is what most of its picture shows, or NULL. */
void emoji_phrases(phrase_list *list, const emoji_entry *e, const char *colour);
/* Of a variant by skin tone, from the phrases of the emoji without. */
void emoji_toned_phrases(phrase_list *list, const emoji_entry *e, const char *const *base, int base_count);
/* Its name without skin tones: "kiss: woman, man". */
char *emoji_untoned_name(arena *memory, const char *name);
/* A thing's name in another colour: "red apple" -> "blue apple". */
char *emoji_coloured_name(arena *memory, const char *name, const char *colour);
/* Of a thing called `name` that was given another colour. */
void emoji_coloured_phrases(phrase_list *list, const char *name, const char *colour, const char *const *base,
                            int base_count);

#endif

/* emoji_rule.h -- what the files of rules for phrases share.
 * SPDX-License-Identifier: MIT */
#ifndef DALLE_CL_DATA_EMOJI_RULE_H
#define DALLE_CL_DATA_EMOJI_RULE_H

#include "data/emoji_phrase.h"

typedef struct table_row {
    const char *name, *first, *second;
} table_row;

const table_row *emoji_rule_find(const table_row *rows, size_t count, const char *name);
#define EMOJI_RULE_FIND(rows, name) emoji_rule_find(rows, sizeof(rows) / sizeof *(rows), name)

/* Adds each word of "a|b" between two texts. */
void emoji_rule_add_each(phrase_list *list, phrase_claim claim, const char *before, const char *words,
                         const char *after);

/* What people see in the emoji of that name: its colours, parts and use (emoji_seen.def,
 * emoji_parts.def). */
void emoji_rule_seen(phrase_list *list, const char *name);

/* Names with a form of their own: flags, keycaps, families, couples, clocks.  False if it is none. */
bool emoji_rule_named(phrase_list *list, const emoji_entry *e);
/* "man: red hair". */
void emoji_rule_hair(phrase_list *list, const char *who, const char *what);
/* Two people who kiss, love or hold hands; false if the name is not of that kind. */
bool emoji_rule_pair_of(const char *name, char first[16], char second[16], const char **verb);

#endif

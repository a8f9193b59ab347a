/* emoji_seen.c -- what people see in an emoji, from two tables of ours: whole captions, and words to put
 * together.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_rule.h"
#include "data/emoji_split.h"
#include <stdio.h>
#include <string.h>

static const table_row seen[] = {
#define SEEN(name, others) { name, others, "" },
#include "data/emoji_seen.def"
#undef SEEN
};

/* Any adjective fits before any noun, and any tail behind it. */
typedef struct parts_row {
    const char *name, *nouns, *adjectives, *tails;
} parts_row;

static const parts_row parts[] = {
#define PARTS(name, nouns, adjectives, tails) { name, nouns, adjectives, tails },
#include "data/emoji_parts.def"
#undef PARTS
};

#define WHO "{who}"

/* The caption with `who`, of `length` bytes, in the place that a table leaves for it. */
static void add(phrase_list *list, const char *caption, int bytes, const char *who, int length)
{
    const char *place = memmem(caption, (size_t)bytes, WHO, strlen(WHO));
    if (!place) {
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s", bytes, caption);
        return;
    }
    const char *rest = place + strlen(WHO);
    emoji_phrase_add(list, CLAIM_TURNED, "%.*s%.*s%.*s", (int)(place - caption), caption, length, who,
                     (int)(caption + bytes - rest), rest);
}

/* ---- Captions put together ---- */

static int count_words(const char *words)
{
    int count = *words != 0;
    for (; *words; ++words) count += *words == '|';
    return count;
}

/* Word `index` of "a|b"; nothing behind the last. */
static const char *word_at(const char *words, int index, int *bytes)
{
    while (index > 0 && *words) index -= *words++ == '|';
    *bytes = (int)strcspn(words, "|");
    return words;
}

static int common_divisor(int a, int b)
{
    while (b) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A step through `total` that meets each once, and of which any few in a row are far apart: near the golden
 * section. */
static int spread_step(int total)
{
    int step = (int)(total * 0.618);
    while (common_divisor(step, total) != 1) ++step;
    return step;
}

/* One noun, an adjective or none, a tail or none; where none follows, two adjectives. */
static void add_parts(phrase_list *list, const parts_row *row, int index, const char *who, int length)
{
    int nouns = count_words(row->nouns), adjectives = count_words(row->adjectives), bytes[4];
    int adjective = index / nouns % (adjectives + 1), tail = index / nouns / (adjectives + 1);
    bool two = tail == count_words(row->tails) && adjective < adjectives && adjectives > 1;
    const char *second = word_at(row->adjectives, two ? (adjective + 1) % adjectives : adjectives, &bytes[0]);
    const char *first = word_at(row->adjectives, adjective, &bytes[1]);
    const char *noun = word_at(row->nouns, index % nouns, &bytes[2]);
    const char *behind = word_at(row->tails, tail, &bytes[3]);
    char text[256];
    int used =
        snprintf(text, sizeof text, "%.*s%s%.*s%s%.*s%s%.*s", bytes[0], second, *second ? " " : "", bytes[1],
                 first, *first ? " " : "", bytes[2], noun, *behind ? " " : "", bytes[3], behind);
    if (used < (int)sizeof text && emoji_split_may_say(text)) add(list, text, used, who, length);
}

static void add_all_parts(phrase_list *list, const parts_row *row, const char *who, int length)
{
    enum { EACH = 24 };
    int total = count_words(row->nouns) * (count_words(row->adjectives) + 1) * (count_words(row->tails) + 1);
    int step = spread_step(total);
    for (int i = 0; i < EACH && i < total; ++i) add_parts(list, row, (i + 1) * step % total, who, length);
}

static const parts_row *find_parts(const char *name)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i)
        if (strcmp(parts[i].name, name) == 0) return &parts[i];
    return NULL;
}

/* ---- The emoji's row ---- */

/* The name as tables have it, with {who} for its first word where it begins with one of people; `length` is
 * that word's, or 0. */
static void role_of(const char *name, char role[256], int *length)
{
    static const char *const people[] = { "woman ", "man ", "person ", "women ", "men ", "people " };
    *length = 0;
    snprintf(role, 256, "%s", name); /* one that is cut is in no table */
    for (size_t i = 0; i < sizeof people / sizeof *people; ++i) {
        size_t bytes = strlen(people[i]);
        if (strncmp(name, people[i], bytes) != 0) continue;
        snprintf(role, 256, WHO " %s", name + bytes);
        *length = (int)bytes - 1;
    }
}

void emoji_rule_seen(phrase_list *list, const char *name)
{
    char role[256];
    int length;
    role_of(name, role, &length);
    const table_row *row = EMOJI_RULE_FIND(seen, name);
    if (!row) row = EMOJI_RULE_FIND(seen, role);
    for (const char *at = row ? row->first : ""; *at;) {
        int bytes = (int)strcspn(at, "|");
        add(list, at, bytes, name, length);
        at += bytes + (at[bytes] == '|');
    }
    const parts_row *found = find_parts(name);
    if (!found) found = find_parts(role);
    if (found) add_all_parts(list, found, name, length);
}

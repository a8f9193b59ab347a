/* emoji_phrase.c -- the rules, one function for each kind of name.
 * SPDX-License-Identifier: MIT */
#include "data/caption.h"
#include "data/emoji_colour.h"
#include "data/emoji_rule.h"
#include "data/emoji_split.h"
#include "data/emoji_text.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_WORDS 12
#define MOST_BYTES 96

void emoji_phrase_add(phrase_list *list, phrase_claim claim, const char *format, ...)
{
    char raw[256], text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    if (length < 1 || length >= (int)sizeof raw || list->no_memory) return;
    emoji_text_plain(raw, text);
    if (strlen(text) > MOST_BYTES || emoji_text_words(text) > MOST_WORDS || !*text ||
        !emoji_text_is_ascii(text))
        return;
    for (int i = 0; i < list->count; ++i)
        if (strcasecmp(list->items[i].text, text) == 0) return;
    if (list->count == list->room) {
        int room = list->room ? 2 * list->room : 32;
        phrase *larger = realloc(list->items, (size_t)room * sizeof *larger);
        if (!larger) {
            list->no_memory = true;
            return;
        }
        list->items = larger;
        list->room = room;
    }
    const char *kept = arena_strdup(list->memory, text);
    if (kept)
        list->items[list->count++] = (phrase){ kept, claim };
    else
        list->no_memory = true;
}

/* ---- Tables ---- */

static const table_row synonyms[] = {
#define ALSO(name, others) { name, others, "" },
#include "data/emoji_names.def"
#undef ALSO
};

static const table_row kinds[] = {
    { "animal-mammal", "animal", "" },
    { "animal-bird", "bird", "animal" },
    { "animal-amphibian", "animal", "" },
    { "animal-reptile", "reptile", "animal" },
    { "animal-marine", "sea animal", "" },
    { "animal-bug", "insect", "bug" },
    { "plant-flower", "flower", "plant" },
    { "plant-other", "plant", "" },
    { "food-fruit", "fruit", "food" },
    { "food-vegetable", "vegetable", "food" },
    { "food-prepared", "food", "dish" },
    { "food-asian", "food", "Asian food" },
    { "food-marine", "seafood", "animal" },
    { "food-sweet", "dessert", "sweet" },
    { "drink", "drink", "" },
    { "place-building", "building", "" },
    { "transport-ground", "vehicle", "" },
    { "transport-water", "boat", "" },
    { "transport-air", "aircraft", "" },
    { "musical-instrument", "instrument", "musical instrument" },
    { "clothing", "clothing", "clothes" },
    { "tool", "tool", "" },
    { "zodiac", "zodiac sign", "" },
};

const table_row *emoji_rule_find(const table_row *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; ++i)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}
/* Calls emoji_phrase_add with each word of "a|b" in the format's only %s. */
void emoji_rule_add_each(phrase_list *list, phrase_claim claim, const char *before, const char *words,
                         const char *after)
{
    for (const char *at = words; *at;) {
        int part = (int)strcspn(at, "|");
        emoji_phrase_add(list, claim, "%s%.*s%s", before, part, at, after);
        at += part + (at[part] == '|');
    }
}

/* ---- Names turned about ---- */

static void add_face(phrase_list *list, const emoji_entry *e, const char *name)
{
    bool animal = strncmp(e->subgroup, "animal", 6) == 0;
    const char *end = strstr(name, " face");
    if (end && !end[5]) {
        int length = (int)(end - name);
        if (animal) {
            emoji_phrase_add(list, CLAIM_TURNED, "face of a %.*s", length, name);
            emoji_phrase_add(list, CLAIM_TURNED, "the face of a %.*s", length, name);
            emoji_phrase_add(list, CLAIM_TURNED, "head of a %.*s", length, name);
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s head", length, name);
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s's face", length, name);
            emoji_phrase_add(list, CLAIM_TURNED, "a %.*s's face", length, name);
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s's head", length, name);
            emoji_phrase_add(list, CLAIM_TURNED, "animal face: %.*s", length, name);
            return;
        }
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s smiley", length, name);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s emoticon", length, name);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s", length, name);
        emoji_phrase_add(list, CLAIM_TURNED, "face, %.*s", length, name);
        emoji_phrase_add(list, CLAIM_TURNED, "face that is %.*s", length, name);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s yellow face", length, name);
    }
    const char *with = strstr(name, "face with ");
    if (!with || animal) return;
    const char *what = with + 10;
    int before = (int)(with - name);
    emoji_phrase_add(list, CLAIM_TURNED, "%.*ssmiley with %s", before, name, what);
    emoji_phrase_add(list, CLAIM_TURNED, "%.*sface that has %s", before, name, what);
    emoji_phrase_add(list, CLAIM_TURNED, "%.*sface and %s", before, name, what);
    emoji_phrase_add(list, CLAIM_TURNED, "%.*semoticon with %s", before, name, what);
    emoji_phrase_add(list, CLAIM_TURNED, "%s on a %.*sface", what, before, name);
}

/* "woman running", "man in tuxedo", "person with veil". */
static void add_person(phrase_list *list, const char *name)
{
    static const struct {
        const char *who, *others[5];
    } people[] = {
        { "woman ", { "female", "lady", "woman who is", "girl", "she is" } },
        { "man ", { "male", "guy", "man who is", "gentleman", "he is" } },
        { "person ", { "somebody", "human", "person who is", "someone", "one" } },
    };
    for (size_t i = 0; i < 3; ++i) {
        size_t length = strlen(people[i].who);
        if (strncmp(name, people[i].who, length) != 0) continue;
        const char *rest = name + length;
        bool doing = emoji_text_is_doing(rest);
        bool with = strncmp(rest, "with ", 5) == 0 || strncmp(rest, "in ", 3) == 0;
        bool role = !doing && !with;
        int who = (int)length - 1;
        if (role && i < 2) {
            emoji_phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[0], rest);
            emoji_phrase_add(list, CLAIM_TURNED, "%s, %s", rest, people[i].others[0]);
            emoji_phrase_add(list, CLAIM_TURNED, "%s (%.*s)", rest, who, name);
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s who is %s%s", who, name, caption_article(rest), rest);
            emoji_phrase_add(list, CLAIM_TURNED, "%s who is a %.*s", rest, who, name);
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s as %s", who, name, rest);
            emoji_phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[1], rest);
            emoji_phrase_add(list, CLAIM_TURNED, "%s %.*s", rest, who, name);
        } else {
            emoji_phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[1], rest);
            emoji_phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[3], rest);
            if (i < 2) emoji_phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[0], rest);
        }
        const table_row *row = EMOJI_RULE_FIND(synonyms, rest);
        if (row && role) emoji_rule_add_each(list, CLAIM_TURNED, people[i].who, row->first, "");
        if (doing) {
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s who is %s", who, name, rest);
            emoji_phrase_add(list, CLAIM_TURNED, "%s %.*s", rest, who, name);
            emoji_phrase_add(list, CLAIM_TURNED, "%s, %.*s", rest, who, name);
        }
        if (with) {
            const char *thing = strchr(rest, ' ') + 1;
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s with a %s", who, name, thing);
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s in a %s", who, name, thing);
            emoji_phrase_add(list, CLAIM_TURNED, "%s %.*s", thing, who, name);
            emoji_phrase_add(list, CLAIM_TURNED, "%.*s and %s", who, name, thing);
        }
    }
}

/* "glass of milk", "house with garden", "open book", "play button". */
static void add_turned(phrase_list *list, const char *name)
{
    const char *of = strstr(name, " of "), *with = strstr(name, " with "), *space = strchr(name, ' ');
    if (of) emoji_phrase_add(list, CLAIM_TURNED, "%s %.*s", of + 4, (int)(of - name), name);
    if (with) {
        int before = (int)(with - name);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s and %s", before, name, with + 6);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s that has %s", before, name, with + 6);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s with a %s", before, name, with + 6);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s, %s", before, name, with + 6);
    }
    const char *end = strrchr(name, ' ');
    if (space && space == end && !strpbrk(name, ":,()")) {
        emoji_phrase_add(list, CLAIM_TURNED, "%s, %.*s", space + 1, (int)(space - name), name);
        emoji_phrase_add(list, CLAIM_TURNED, "%s %.*s", space + 1, (int)(space - name), name);
    }
    if (end && strcmp(end, " button") == 0) {
        int before = (int)(end - name);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s sign", before, name);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s symbol", before, name);
        emoji_phrase_add(list, CLAIM_TURNED, "button for %.*s", before, name);
        emoji_phrase_add(list, CLAIM_TURNED, "button that says %.*s", before, name);
        emoji_phrase_add(list, CLAIM_TURNED, "%.*s", before, name);
    }
    if (strchr(name, '-')) {
        char apart[128], together[128];
        emoji_text_hyphens(name, apart, together, sizeof apart);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s", apart);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s", together);
    }
}

/* "red apple", and things whose picture has a colour that the name does not say. */
static void add_colour(phrase_list *list, const char *name, const char *colour)
{
    size_t first = strcspn(name, " ");
    if (name[first] && emoji_colour_is_name(name, first)) {
        const char *thing = name + first + 1;
        int n = (int)first;
        emoji_phrase_add(list, CLAIM_GIVEN, "%s, %.*s", thing, n, name);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s in %.*s", thing, n, name);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s that is %.*s", thing, n, name);
        emoji_phrase_add(list, CLAIM_GIVEN, "%.*s coloured %s", n, name, thing);
        emoji_phrase_add(list, CLAIM_GIVEN, "%.*s-colored %s", n, name, thing);
        emoji_phrase_add(list, CLAIM_GIVEN, "%.*s colour %s", n, name, thing);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s with %.*s colour", thing, n, name);
        return;
    }
    if (!colour || emoji_text_has_colour(name) || emoji_split_holds_out(name, colour)) return;
    emoji_phrase_add(list, CLAIM_TURNED, "%s %s", colour, name);
    emoji_phrase_add(list, CLAIM_TURNED, "%s in %s", name, colour);
    emoji_phrase_add(list, CLAIM_TURNED, "%s, %s", name, colour);
}

static void add_kind(phrase_list *list, const emoji_entry *e, const char *name)
{
    const table_row *row = EMOJI_RULE_FIND(kinds, e->subgroup);
    if (!row) return;
    emoji_phrase_add(list, CLAIM_TURNED, "%s: %s", row->first, name);
    emoji_phrase_add(list, CLAIM_TURNED, "%s, a kind of %s", name, row->first);
    if (strcmp(row->first, "building") != 0) emoji_phrase_add(list, CLAIM_TURNED, "%s %s", name, row->first);
    if (*row->second) emoji_phrase_add(list, CLAIM_TURNED, "%s, %s", row->second, name);
}

static void add_plural(phrase_list *list, const emoji_entry *e, const char *name)
{
    static const char *const groups[] = { "Animals & Nature", "Food & Drink", "Objects", "Activities" };
    for (size_t i = 0; i < 4; ++i) {
        char many[128];
        if (strcmp(e->group, groups[i]) != 0 || !emoji_text_plural(name, many, sizeof many)) continue;
        emoji_phrase_add(list, CLAIM_KEYWORD, "%s", many);
    }
}

static void add_keywords(phrase_list *list, const char *words, const char *name)
{
    const char *last = strrchr(name, ' ');
    last = last ? last + 1 : name;
    for (const char *at = words; *at;) {
        int part = (int)strcspn(at, "|");
        if (part > 2) emoji_phrase_add(list, CLAIM_KEYWORD, "%.*s", part, at);
        if (part > 2 && part < 40 && last != name) {
            char word[64];
            snprintf(word, sizeof word, "%.*s", part, at);
            if (!strstr(name, word) && !strstr(word, last))
                emoji_phrase_add(list, CLAIM_KEYWORD, "%s %s", word, last);
        }
        at += part + (at[part] == '|');
    }
}

void emoji_phrases(phrase_list *list, const emoji_entry *e, const char *colour)
{
    char name[192];
    if (strlen(e->caption) >= sizeof name) return;
    emoji_text_plain(e->caption, name);
    const table_row *row = EMOJI_RULE_FIND(synonyms, e->caption);
    if (row) emoji_rule_add_each(list, CLAIM_GIVEN, "", row->first, "");
    bool flag = strncmp(e->caption, "flag: ", 6) == 0;
    if (!flag) emoji_rule_add_each(list, CLAIM_GIVEN, "", e->names, "");
    if (strcmp(name, e->caption) != 0) emoji_phrase_add(list, CLAIM_GIVEN, "%s", name);
    emoji_rule_seen(list, e->caption);
    const char *colon = strstr(name, ": ");
    if (!emoji_rule_named(list, e) && colon) {
        char who[64];
        snprintf(who, sizeof who, "%.*s", (int)(colon - name), name);
        emoji_rule_hair(list, who, colon + 2);
    } else if (!colon) {
        bool clothed = strcmp(e->group, "People & Body") == 0; /* a swimmer's blue is the water's */
        add_colour(list, name, clothed && colour && strcmp(colour, "yellow") != 0 ? NULL : colour);
        add_face(list, e, name);
        add_person(list, name);
        add_turned(list, name);
    }
    if (!flag) {
        add_keywords(list, e->keywords, name);
        add_keywords(list, e->further, name);
    }
    if (!colon) add_plural(list, e, name);
    if (!colon) add_kind(list, e, name);
}

/* emoji_phrase.c -- the rules, one function for each kind of name.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_phrase.h"
#include "data/emoji_colour.h"
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

void phrase_add(phrase_list *list, phrase_claim claim, const char *format, ...)
{
    char raw[256], text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    if (length < 1 || length >= (int)sizeof raw || list->no_memory) return;
    emoji_text_plain(raw, text);
    if (strlen(text) > MOST_BYTES || emoji_text_words(text) > MOST_WORDS || !*text) return;
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

typedef struct table_row {
    const char *name, *first, *second;
} table_row;

static const table_row countries[] = {
#define COUNTRY(name, adjectives, others) { name, adjectives, others },
#include "data/emoji_country.def"
#undef COUNTRY
};

static const table_row synonyms[] = {
#define ALSO(name, others) { name, others, "" },
#include "data/emoji_names.def"
#undef ALSO
};

static const table_row kinds[] = {
    { "animal-mammal", "animal", "" },      { "animal-bird", "bird", "animal" },
    { "animal-amphibian", "animal", "" },   { "animal-reptile", "reptile", "animal" },
    { "animal-marine", "sea animal", "" },  { "animal-bug", "insect", "bug" },
    { "plant-flower", "flower", "plant" },  { "plant-other", "plant", "" },
    { "food-fruit", "fruit", "food" },      { "food-vegetable", "vegetable", "food" },
    { "food-prepared", "food", "dish" },    { "food-asian", "food", "Asian food" },
    { "food-marine", "seafood", "animal" }, { "food-sweet", "dessert", "sweet" },
    { "drink", "drink", "" },               { "place-building", "building", "" },
    { "transport-ground", "vehicle", "" },  { "transport-water", "boat", "" },
    { "transport-air", "aircraft", "" },    { "musical-instrument", "instrument", "musical instrument" },
    { "clothing", "clothing", "clothes" },  { "tool", "tool", "" },
    { "sport", "sport", "" },               { "zodiac", "zodiac sign", "" },
    { "sky & weather", "weather", "sky" },  { "household", "household thing", "" },
};

static const table_row *find_row(const table_row *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; ++i)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}
#define FIND(rows, name) find_row(rows, sizeof(rows) / sizeof *(rows), name)

/* Calls phrase_add with each word of "a|b" in the format's only %s. */
static void add_each(phrase_list *list, phrase_claim claim, const char *before, const char *words,
                     const char *after)
{
    for (const char *at = words; *at;) {
        int part = (int)strcspn(at, "|");
        phrase_add(list, claim, "%s%.*s%s", before, part, at, after);
        at += part + (at[part] == '|');
    }
}

/* ---- One kind of name each ---- */

static void add_flag(phrase_list *list, const char *place)
{
    char plain[128];
    emoji_text_plain(place, plain);
    phrase_add(list, CLAIM_GIVEN, "flag of %s", plain);
    phrase_add(list, CLAIM_GIVEN, "%s flag", plain);
    phrase_add(list, CLAIM_GIVEN, "the flag of %s", plain);
    phrase_add(list, CLAIM_GIVEN, "the %s flag", plain);
    phrase_add(list, CLAIM_GIVEN, "flag %s", plain);
    phrase_add(list, CLAIM_GIVEN, "national flag of %s", plain);
    const table_row *row = FIND(countries, place);
    if (row) {
        add_each(list, CLAIM_GIVEN, "", row->first, " flag");
        add_each(list, CLAIM_GIVEN, "the ", row->first, " flag");
        add_each(list, CLAIM_GIVEN, "", row->first, " national flag");
        add_each(list, CLAIM_GIVEN, "flag of ", row->second, "");
        add_each(list, CLAIM_GIVEN, "flag: ", row->second, "");
        add_each(list, CLAIM_GIVEN, "", row->second, " flag");
        add_each(list, CLAIM_GIVEN, "the flag of ", row->second, "");
        add_each(list, CLAIM_GIVEN, "flag, ", row->first, "");
    }
    phrase_add(list, CLAIM_TURNED, "%s", plain);
    phrase_add(list, CLAIM_TURNED, "%s's flag", plain);
    phrase_add(list, CLAIM_TURNED, "flag for %s", plain);
    phrase_add(list, CLAIM_TURNED, "%s country flag", plain);
    if (row) add_each(list, CLAIM_TURNED, "", row->second, "");
    if (row) add_each(list, CLAIM_TURNED, "", row->first, " country flag");
}

static void add_keycap(phrase_list *list, const char *key)
{
    static const char *const digits[] = { "zero", "one", "two",   "three", "four", "five",
                                          "six",  "seven", "eight", "nine",  "ten" };
    static const char *const forms[] = { "key %s",    "%s key",        "number %s", "the number %s",
                                         "%s keycap", "%s button",     "digit %s",  "button with a %s",
                                         "keycap %s", "number %s key", "%s",        "blue button %s" };
    const char *word = strcmp(key, "#") == 0 ? "hash" : strcmp(key, "*") == 0 ? "star" : NULL;
    bool number = isdigit((unsigned char)key[0]);
    if (number && atoi(key) <= 10) word = digits[atoi(key)];
    for (size_t i = 0; i < sizeof forms / sizeof *forms; ++i) {
        if (!number && (strstr(forms[i], "number") || strstr(forms[i], "digit"))) continue;
        char text[64];
        for (int spelled = 0; spelled < 2; ++spelled) {
            emoji_text_fill(forms[i], spelled && word ? word : key, text, sizeof text);
            phrase_add(list, i < 8 ? CLAIM_GIVEN : CLAIM_TURNED, "%s", text);
        }
    }
}

/* "one o'clock" and "one-thirty". */
static bool add_clock(phrase_list *list, const char *name)
{
    static const char *const hours[] = { "one",   "two",   "three", "four", "five",   "six",
                                         "seven", "eight", "nine",  "ten",  "eleven", "twelve" };
    const char *half = strstr(name, "-thirty"), *full = strstr(name, " o’clock");
    if (!half && !full) return false;
    size_t length = (size_t)((half ? half : full) - name);
    int hour = 0;
    while (hour < 12 && (strlen(hours[hour]) != length || memcmp(hours[hour], name, length) != 0)) ++hour;
    if (hour == 12) return false;
    const char *word = hours[hour], *minutes = half ? "30" : "00";
    char said[64];
    snprintf(said, sizeof said, half ? "%s thirty" : "%s o'clock", word);
    phrase_add(list, CLAIM_GIVEN, "%s", said);
    if (half) phrase_add(list, CLAIM_GIVEN, "half past %s", word);
    if (full) phrase_add(list, CLAIM_GIVEN, "%d o'clock", hour + 1);
    phrase_add(list, CLAIM_GIVEN, "clock at %s", said);
    phrase_add(list, CLAIM_GIVEN, "clock showing %s", said);
    phrase_add(list, CLAIM_GIVEN, "clock showing %d:%s", hour + 1, minutes);
    phrase_add(list, CLAIM_GIVEN, "clock at %d:%s", hour + 1, minutes);
    phrase_add(list, CLAIM_GIVEN, "%d:%s", hour + 1, minutes);
    phrase_add(list, CLAIM_GIVEN, "%s clock", said);
    phrase_add(list, CLAIM_GIVEN, "clock face, %s", said);
    phrase_add(list, CLAIM_GIVEN, "clock that says %s", said);
    phrase_add(list, CLAIM_GIVEN, "clock %d:%s", hour + 1, minutes);
    if (half) phrase_add(list, CLAIM_GIVEN, "clock at half past %s", word);
    if (full) phrase_add(list, CLAIM_GIVEN, "clock at %s", word);
    if (half) phrase_add(list, CLAIM_GIVEN, "clock showing half past %s", word);
    phrase_add(list, CLAIM_GIVEN, "time: %s", said);
    phrase_add(list, CLAIM_GIVEN, "it is %s", said);
    return true;
}

/* "man, woman, girl" as "man, woman and girl", "man woman girl" or with articles. */
static void join(const char *parts, const char *comma, const char *last, const char *article, char *out)
{
    const char *at = parts;
    char *to = out;
    for (bool first = true; *at; first = false) {
        size_t part = strcspn(at, ",");
        bool end = !at[part];
        to += sprintf(to, "%s%s%.*s", first ? "" : end ? last : comma, article, (int)part, at);
        at += part;
        at += strspn(at, ", ");
    }
}

static void add_family(phrase_list *list, const char *parts)
{
    char said[160], with[160], bare[160];
    if (strlen(parts) > 60) return;
    join(parts, ", ", " and ", "", said);
    join(parts, ", ", " and ", "a ", with);
    join(parts, " ", " ", "", bare);
    phrase_add(list, CLAIM_GIVEN, "family of %s", said);
    phrase_add(list, CLAIM_GIVEN, "family with %s", said);
    phrase_add(list, CLAIM_GIVEN, "%s", said);
    phrase_add(list, CLAIM_GIVEN, "family of %s", with);
    phrase_add(list, CLAIM_GIVEN, "%s", with);
    phrase_add(list, CLAIM_GIVEN, "family %s", bare);
    phrase_add(list, CLAIM_GIVEN, "%s family", bare);
    phrase_add(list, CLAIM_GIVEN, "%s as a family", said);
    if (strncmp(parts, "man, woman", 10) != 0) return;
    const char *children = parts + 12;
    join(children, ", ", " and ", "a ", with);
    join(children, ", ", " and ", "", said);
    phrase_add(list, CLAIM_GIVEN, "parents with %s", with);
    phrase_add(list, CLAIM_GIVEN, "mother, father, %s", said);
}

/* Two people who kiss, love or hold hands; false if `e` is not of that kind. */
static bool pair_of(const char *name, char first[16], char second[16], const char **verb)
{
    *verb = strncmp(name, "kiss", 4) == 0      ? "kissing"
            : strncmp(name, "couple", 6) == 0  ? "in love"
            : strstr(name, "holding hands")    ? "holding hands"
                                               : NULL;
    if (!*verb) return false;
    char rest[16];
    if (sscanf(name, "kiss: %15[a-z], %15[a-z]", first, second) == 2) return true;
    if (sscanf(name, "couple with heart: %15[a-z], %15[a-z]", first, second) == 2) return true;
    if (sscanf(name, "%15[a-z] and %15[a-z] holding%15s", first, second, rest) == 3) return true;
    const char *one = strncmp(name, "men", 3) == 0 ? "man" : strncmp(name, "women", 5) == 0 ? "woman" : "person";
    strcpy(first, one);
    strcpy(second, one);
    return true;
}

static void add_pair(phrase_list *list, const char *x, const char *y, const char *verb)
{
    bool same = strcmp(x, y) == 0;
    const char *many = strcmp(x, "man") == 0 ? "men" : strcmp(x, "woman") == 0 ? "women" : "people";
    if (same) phrase_add(list, CLAIM_GIVEN, "two %s %s", many, verb);
    if (same) phrase_add(list, CLAIM_GIVEN, "%s %s", many, verb);
    phrase_add(list, CLAIM_GIVEN, "%s and %s %s", x, y, verb);
    phrase_add(list, CLAIM_GIVEN, "a %s and a %s %s", x, y, verb);
    phrase_add(list, CLAIM_GIVEN, "couple %s: %s, %s", verb, x, y);
    phrase_add(list, CLAIM_GIVEN, "couple of %s and %s, %s", x, y, verb);
    phrase_add(list, CLAIM_GIVEN, "%s %s %s", x, y, verb);
    if (same) phrase_add(list, CLAIM_GIVEN, "couple of %s %s", many, verb);
    if (*verb == 'k') phrase_add(list, CLAIM_GIVEN, "%s kissing a %s", x, y);
    if (*verb == 'k') phrase_add(list, CLAIM_GIVEN, "kiss between a %s and a %s", x, y);
    if (*verb == 'k') phrase_add(list, CLAIM_GIVEN, "%s and %s kiss", x, y);
    if (*verb == 'i') phrase_add(list, CLAIM_GIVEN, "%s and %s with a heart", x, y);
    if (*verb == 'i') phrase_add(list, CLAIM_GIVEN, "%s in love with a %s", x, y);
    if (*verb == 'h') phrase_add(list, CLAIM_GIVEN, "%s holding hands with a %s", x, y);
    if (*verb == 'h') phrase_add(list, CLAIM_GIVEN, "%s and %s hand in hand", x, y);
}

/* "man: red hair". */
static void add_hair(phrase_list *list, const char *who, const char *what)
{
    const char *hair = strstr(what, " hair");
    int length = hair ? (int)(hair - what) : 0;
    if (hair) {
        phrase_add(list, CLAIM_GIVEN, "%s with %s", who, what);
        phrase_add(list, CLAIM_GIVEN, "%.*s-haired %s", length, what, who);
        phrase_add(list, CLAIM_GIVEN, "%.*s haired %s", length, what, who);
        phrase_add(list, CLAIM_GIVEN, "%s who has %s", who, what);
        phrase_add(list, CLAIM_GIVEN, "%s %s", what, who);
        if (strncmp(what, "red", 3) == 0) phrase_add(list, CLAIM_GIVEN, "redheaded %s", who);
        if (strncmp(what, "red", 3) == 0) phrase_add(list, CLAIM_GIVEN, "ginger %s", who);
        if (strncmp(what, "blond", 5) == 0) phrase_add(list, CLAIM_GIVEN, "blond %s", who);
        if (strncmp(what, "blond", 5) == 0) phrase_add(list, CLAIM_GIVEN, "blonde %s", who);
        if (strncmp(what, "blond", 5) == 0) phrase_add(list, CLAIM_GIVEN, "%s with blonde hair", who);
        if (strncmp(what, "curly", 5) == 0) phrase_add(list, CLAIM_GIVEN, "%s with curls", who);
    } else if (strcmp(what, "bald") == 0) {
        phrase_add(list, CLAIM_GIVEN, "bald %s", who);
        phrase_add(list, CLAIM_GIVEN, "%s without hair", who);
        phrase_add(list, CLAIM_GIVEN, "%s with a bald head", who);
        phrase_add(list, CLAIM_GIVEN, "%s who is bald", who);
        phrase_add(list, CLAIM_GIVEN, "bald headed %s", who);
    } else {
        phrase_add(list, CLAIM_GIVEN, "%s with %s", who, what);
        phrase_add(list, CLAIM_GIVEN, "%s with a %s", who, what);
        if (strcmp(what, "beard") == 0) phrase_add(list, CLAIM_GIVEN, "bearded %s", who);
        if (strcmp(what, "beard") == 0) phrase_add(list, CLAIM_GIVEN, "%s who has a beard", who);
    }
}

static void add_face(phrase_list *list, const emoji_entry *e, const char *name)
{
    bool animal = strncmp(e->subgroup, "animal", 6) == 0;
    const char *end = strstr(name, " face");
    if (end && !end[5]) {
        int length = (int)(end - name);
        if (animal) {
            phrase_add(list, CLAIM_TURNED, "face of a %.*s", length, name);
            phrase_add(list, CLAIM_TURNED, "the face of a %.*s", length, name);
            phrase_add(list, CLAIM_TURNED, "head of a %.*s", length, name);
            phrase_add(list, CLAIM_TURNED, "%.*s head", length, name);
            phrase_add(list, CLAIM_TURNED, "%.*s's face", length, name);
            phrase_add(list, CLAIM_TURNED, "a %.*s's face", length, name);
            phrase_add(list, CLAIM_TURNED, "%.*s's head", length, name);
            phrase_add(list, CLAIM_TURNED, "animal face: %.*s", length, name);
            return;
        }
        phrase_add(list, CLAIM_TURNED, "%.*s smiley", length, name);
        phrase_add(list, CLAIM_TURNED, "%.*s emoticon", length, name);
        phrase_add(list, CLAIM_TURNED, "%.*s", length, name);
        phrase_add(list, CLAIM_TURNED, "face, %.*s", length, name);
        phrase_add(list, CLAIM_TURNED, "face that is %.*s", length, name);
        phrase_add(list, CLAIM_TURNED, "%.*s yellow face", length, name);
    }
    const char *with = strstr(name, "face with ");
    if (!with || animal) return;
    const char *what = with + 10;
    int before = (int)(with - name);
    phrase_add(list, CLAIM_TURNED, "%.*ssmiley with %s", before, name, what);
    phrase_add(list, CLAIM_TURNED, "%.*sface that has %s", before, name, what);
    phrase_add(list, CLAIM_TURNED, "%.*sface and %s", before, name, what);
    phrase_add(list, CLAIM_TURNED, "%.*semoticon with %s", before, name, what);
    phrase_add(list, CLAIM_TURNED, "%s on a %.*sface", what, before, name);
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
        bool doing = strcspn(rest, " ") > 4 && memcmp(rest + strcspn(rest, " ") - 3, "ing", 3) == 0;
        bool with = strncmp(rest, "with ", 5) == 0 || strncmp(rest, "in ", 3) == 0;
        bool role = !doing && !with;
        int who = (int)length - 1;
        if (role && i < 2) {
            phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[0], rest);
            phrase_add(list, CLAIM_TURNED, "%s, %s", rest, people[i].others[0]);
            phrase_add(list, CLAIM_TURNED, "%s (%.*s)", rest, who, name);
            phrase_add(list, CLAIM_TURNED, "%.*s who is a %s", who, name, rest);
            phrase_add(list, CLAIM_TURNED, "%s who is a %.*s", rest, who, name);
            phrase_add(list, CLAIM_TURNED, "%.*s as %s", who, name, rest);
            phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[1], rest);
            phrase_add(list, CLAIM_TURNED, "%s %.*s", rest, who, name);
        } else {
            phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[1], rest);
            phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[3], rest);
            if (i < 2) phrase_add(list, CLAIM_TURNED, "%s %s", people[i].others[0], rest);
        }
        const table_row *row = FIND(synonyms, rest);
        if (row && role) add_each(list, CLAIM_TURNED, people[i].who, row->first, "");
        if (doing) {
            phrase_add(list, CLAIM_TURNED, "%.*s who is %s", who, name, rest);
            phrase_add(list, CLAIM_TURNED, "%s %.*s", rest, who, name);
            phrase_add(list, CLAIM_TURNED, "%s, %.*s", rest, who, name);
        }
        if (with) {
            const char *thing = strchr(rest, ' ') + 1;
            phrase_add(list, CLAIM_TURNED, "%.*s with a %s", who, name, thing);
            phrase_add(list, CLAIM_TURNED, "%.*s in a %s", who, name, thing);
            phrase_add(list, CLAIM_TURNED, "%s %.*s", thing, who, name);
            phrase_add(list, CLAIM_TURNED, "%.*s and %s", who, name, thing);
        }
    }
}

/* "glass of milk", "house with garden", "open book", "play button". */
static void add_turned(phrase_list *list, const char *name)
{
    const char *of = strstr(name, " of "), *with = strstr(name, " with "), *space = strchr(name, ' ');
    if (of) phrase_add(list, CLAIM_TURNED, "%s %.*s", of + 4, (int)(of - name), name);
    if (with) {
        int before = (int)(with - name);
        phrase_add(list, CLAIM_TURNED, "%.*s and %s", before, name, with + 6);
        phrase_add(list, CLAIM_TURNED, "%.*s that has %s", before, name, with + 6);
        phrase_add(list, CLAIM_TURNED, "%.*s with a %s", before, name, with + 6);
        phrase_add(list, CLAIM_TURNED, "%.*s, %s", before, name, with + 6);
    }
    const char *end = strrchr(name, ' ');
    if (space && space == end && !strpbrk(name, ":,()")) {
        phrase_add(list, CLAIM_TURNED, "%s, %.*s", space + 1, (int)(space - name), name);
        phrase_add(list, CLAIM_TURNED, "%s %.*s", space + 1, (int)(space - name), name);
    }
    if (end && strcmp(end, " button") == 0) {
        int before = (int)(end - name);
        phrase_add(list, CLAIM_TURNED, "%.*s sign", before, name);
        phrase_add(list, CLAIM_TURNED, "%.*s symbol", before, name);
        phrase_add(list, CLAIM_TURNED, "button for %.*s", before, name);
        phrase_add(list, CLAIM_TURNED, "button that says %.*s", before, name);
        phrase_add(list, CLAIM_TURNED, "%.*s", before, name);
    }
    if (strchr(name, '-')) {
        char apart[128], together[128];
        emoji_text_hyphens(name, apart, together, sizeof apart);
        phrase_add(list, CLAIM_GIVEN, "%s", apart);
        phrase_add(list, CLAIM_GIVEN, "%s", together);
    }
}

/* "red apple", and things whose picture has a colour that the name does not say. */
static void add_colour(phrase_list *list, const char *name, const char *colour)
{
    size_t first = strcspn(name, " ");
    if (name[first] && emoji_colour_is_name(name, first)) {
        const char *thing = name + first + 1;
        int n = (int)first;
        phrase_add(list, CLAIM_GIVEN, "%s, %.*s", thing, n, name);
        phrase_add(list, CLAIM_GIVEN, "%s in %.*s", thing, n, name);
        phrase_add(list, CLAIM_GIVEN, "%s that is %.*s", thing, n, name);
        phrase_add(list, CLAIM_GIVEN, "%.*s coloured %s", n, name, thing);
        phrase_add(list, CLAIM_GIVEN, "%.*s-colored %s", n, name, thing);
        phrase_add(list, CLAIM_GIVEN, "%.*s colour %s", n, name, thing);
        phrase_add(list, CLAIM_GIVEN, "%s with %.*s colour", thing, n, name);
        return;
    }
    if (!colour || emoji_text_has_colour(name)) return;
    phrase_add(list, CLAIM_TURNED, "%s %s", colour, name);
    phrase_add(list, CLAIM_TURNED, "%s in %s", name, colour);
    phrase_add(list, CLAIM_TURNED, "%s, %s", name, colour);
}

static void add_kind(phrase_list *list, const emoji_entry *e, const char *name)
{
    const table_row *row = FIND(kinds, e->subgroup);
    if (!row) return;
    phrase_add(list, CLAIM_TURNED, "%s: %s", row->first, name);
    phrase_add(list, CLAIM_TURNED, "%s, a kind of %s", name, row->first);
    phrase_add(list, CLAIM_TURNED, "%s %s", name, row->first);
    if (*row->second) phrase_add(list, CLAIM_TURNED, "%s, %s", row->second, name);
}

static void add_plural(phrase_list *list, const emoji_entry *e, const char *name)
{
    static const char *const groups[] = { "Animals & Nature", "Food & Drink", "Objects", "Activities" };
    for (size_t i = 0; i < 4; ++i) {
        char many[128];
        if (strcmp(e->group, groups[i]) != 0 || !emoji_text_plural(name, many, sizeof many)) continue;
        phrase_add(list, CLAIM_KEYWORD, "%s", many);
    }
}

static void add_keywords(phrase_list *list, const char *words, const char *name)
{
    const char *last = strrchr(name, ' ');
    last = last ? last + 1 : name;
    for (const char *at = words; *at;) {
        int part = (int)strcspn(at, "|");
        if (part > 2) phrase_add(list, CLAIM_KEYWORD, "%.*s", part, at);
        if (part > 2 && part < 40 && last != name) {
            char word[64];
            snprintf(word, sizeof word, "%.*s", part, at);
            if (!strstr(name, word) && !strstr(word, last))
                phrase_add(list, CLAIM_KEYWORD, "%s %s", word, last);
        }
        at += part + (at[part] == '|');
    }
}

static bool add_kind_of_name(phrase_list *list, const emoji_entry *e, const char *name)
{
    char first[16], second[16];
    const char *verb;
    if (strncmp(name, "flag: ", 6) == 0)
        add_flag(list, name + 6);
    else if (strncmp(name, "keycap: ", 8) == 0)
        add_keycap(list, name + 8);
    else if (strncmp(name, "family: ", 8) == 0)
        add_family(list, name + 8);
    else if (strcmp(e->group, "People & Body") == 0 &&
             pair_of(name, first, second, &verb) && (strchr(name, ':') || strstr(name, "hands")))
        add_pair(list, first, second, verb);
    else
        return add_clock(list, name);
    return true;
}

void emoji_phrases(phrase_list *list, const emoji_entry *e, const char *colour)
{
    char name[192];
    if (strlen(e->caption) >= sizeof name) return;
    emoji_text_plain(e->caption, name);
    const table_row *row = FIND(synonyms, e->caption);
    if (row) add_each(list, CLAIM_GIVEN, "", row->first, "");
    bool flag = strncmp(e->caption, "flag: ", 6) == 0;
    if (!flag) add_each(list, CLAIM_GIVEN, "", e->names, "");
    if (strcmp(name, e->caption) != 0) phrase_add(list, CLAIM_GIVEN, "%s", name);
    const char *colon = strstr(name, ": ");
    if (!add_kind_of_name(list, e, e->caption) && colon) {
        char who[64];
        snprintf(who, sizeof who, "%.*s", (int)(colon - name), name);
        add_hair(list, who, colon + 2);
    } else if (!colon) {
        add_colour(list, name, colour);
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

/* ---- Skin tones ---- */

typedef struct tones {
    char first[16], second[16];
} tones;

static tones tones_of(const char *name)
{
    tones t = { 0 };
    for (const char *at = strchr(name, ':'); at;) {
        at += strspn(at, ":, ");
        const char *end = strstr(at, " skin tone"), *comma = strchr(at, ',');
        if (end && (!comma || end < comma))
            snprintf(*t.first ? t.second : t.first, sizeof t.first, "%.*s", (int)(end - at), at);
        at = comma;
    }
    return t;
}

char *emoji_untoned_name(arena *memory, const char *name)
{
    char out[256] = "";
    const char *colon = strchr(name, ':');
    if (!colon || strlen(name) >= sizeof out) return arena_strdup(memory, name);
    size_t used = (size_t)snprintf(out, sizeof out, "%.*s", (int)(colon - name), name);
    const char *separator = ": ";
    for (const char *at = colon; at;) {
        at += strspn(at, ":, ");
        size_t part = strcspn(at, ",");
        if (!memmem(at, part, "skin tone", 9)) {
            used += (size_t)snprintf(out + used, sizeof out - used, "%s%.*s", separator, (int)part, at);
            separator = ", ";
        }
        at = strchr(at, ',');
    }
    return arena_strdup(memory, out);
}

static void add_one_tone(phrase_list *list, const char *p, const char *tone, int form)
{
    char loose[16];
    snprintf(loose, sizeof loose, "%s", tone);
    if (strchr(loose, '-')) *strchr(loose, '-') = ' ';
    const char *join_with = strstr(p, " with ") ? "and" : "with";
    switch (form) {
    case 0: phrase_add(list, CLAIM_GIVEN, "%s %s %s skin", p, join_with, tone); break;
    case 1: phrase_add(list, CLAIM_GIVEN, "%s-skinned %s", tone, p); break;
    case 2: phrase_add(list, CLAIM_GIVEN, "%s skin tone %s", tone, p); break;
    case 3: phrase_add(list, CLAIM_GIVEN, "%s, %s skin", p, tone); break;
    case 4: phrase_add(list, CLAIM_GIVEN, "%s %s %s skin tone", p, join_with, tone); break;
    case 5: phrase_add(list, CLAIM_GIVEN, "%s skinned %s", loose, p); break;
    case 6: phrase_add(list, CLAIM_GIVEN, "%s %s a %s skin tone", p, join_with, loose); break;
    case 7: phrase_add(list, CLAIM_GIVEN, "%s %s skin tone", p, loose); break;
    case 8: phrase_add(list, CLAIM_GIVEN, "%s skin %s", loose, p); break;
    default: phrase_add(list, CLAIM_GIVEN, "%s, %s skin tone", p, tone); break;
    }
}

static void add_two_tones(phrase_list *list, const char *p, const tones *t, int form)
{
    const char *a = t->first, *b = t->second, *join_with = strstr(p, " with ") ? "and" : "with";
    switch (form) {
    case 0: phrase_add(list, CLAIM_GIVEN, "%s %s %s and %s skin", p, join_with, a, b); break;
    case 1: phrase_add(list, CLAIM_GIVEN, "%s, %s skin and %s skin", p, a, b); break;
    case 2: phrase_add(list, CLAIM_GIVEN, "%s: %s skin, %s skin", p, a, b); break;
    case 3: phrase_add(list, CLAIM_GIVEN, "%s and %s skin tone %s", a, b, p); break;
    default: phrase_add(list, CLAIM_GIVEN, "%s, one with %s skin, one with %s skin", p, a, b); break;
    }
}

static void add_toned_pair(phrase_list *list, const char *name, const tones *t)
{
    char x[16], y[16];
    const char *verb, *a = t->first, *b = t->second;
    if (!pair_of(name, x, y, &verb)) return;
    phrase_add(list, CLAIM_GIVEN, "%s-skinned %s and %s-skinned %s %s", a, x, b, y, verb);
    phrase_add(list, CLAIM_GIVEN, "%s with %s skin and %s with %s skin %s", x, a, y, b, verb);
    phrase_add(list, CLAIM_GIVEN, "a %s-skinned %s and a %s-skinned %s %s", a, x, b, y, verb);
    phrase_add(list, CLAIM_GIVEN, "%s %s and %s %s %s", a, x, b, y, verb);
    phrase_add(list, CLAIM_GIVEN, "%s: %s %s skin, %s %s skin", verb, x, a, y, b);
}

void emoji_toned_phrases(phrase_list *list, const emoji_entry *e, const char *const *base, int base_count)
{
    enum { ONE = 10, TWO = 5 };
    tones t = tones_of(e->caption);
    bool two = *t.second;
    char *name = emoji_untoned_name(list->memory, e->caption), plain[192];
    if (!name || strlen(name) >= sizeof plain) {
        list->no_memory = list->no_memory || !name;
        return;
    }
    emoji_text_plain(name, plain);
    if (two) add_toned_pair(list, e->caption, &t);
    int forms = two ? TWO : ONE;
    bool bare = !strchr(plain, ':');
    for (int form = 0; bare && form < forms; ++form)
        if (two)
            add_two_tones(list, plain, &t, form);
        else
            add_one_tone(list, plain, t.first, form);
    /* Each phrase with each form in turn, so that few captions show all of both. */
    for (int k = 0; base_count && k < base_count * 3; ++k) {
        const char *p = base[k % base_count];
        int form = (k + k / base_count * 3) % forms;
        if (strstr(p, "yellow")) continue; /* that was the colour without a tone */
        if (two)
            add_two_tones(list, p, &t, form);
        else
            add_one_tone(list, p, t.first, form);
    }
}

/* ---- Another colour ---- */

/* The name without its colours. */
static void thing_of(const char *name, char thing[128])
{
    size_t used = 0;
    thing[0] = 0;
    while (*name && used < 100) {
        size_t length = strcspn(name, " ");
        if (!emoji_colour_is_name(name, length))
            used += (size_t)snprintf(thing + used, 128 - used, "%s%.*s", used ? " " : "", (int)length, name);
        name += length;
        name += strspn(name, " ");
    }
}

char *emoji_coloured_name(arena *memory, const char *name, const char *colour)
{
    char thing[128];
    thing_of(name, thing);
    return arena_printf(memory, "%s %s", colour, thing);
}

void emoji_coloured_phrases(phrase_list *list, const char *name, const char *colour, const char *const *base,
                            int base_count)
{
    char whole[192], thing[128];
    emoji_text_plain(name, whole);
    thing_of(whole, thing);
    phrase_add(list, CLAIM_GIVEN, "%s in %s", thing, colour);
    phrase_add(list, CLAIM_GIVEN, "%s, %s", thing, colour);
    phrase_add(list, CLAIM_GIVEN, "%s that is %s", thing, colour);
    phrase_add(list, CLAIM_GIVEN, "%s coloured %s", colour, thing);
    phrase_add(list, CLAIM_GIVEN, "%s %s", thing, colour);
    for (int i = 0; i < base_count && list->count < 16; ++i) {
        if (emoji_text_has_colour(base[i]) || strpbrk(base[i], ":,") ||
            emoji_split_holds_out(base[i], colour))
            continue;
        phrase_add(list, CLAIM_GIVEN, "%s %s", colour, base[i]);
        phrase_add(list, CLAIM_GIVEN, "%s in %s", base[i], colour);
    }
}

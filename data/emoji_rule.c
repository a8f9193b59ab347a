/* emoji_rule.c -- names that have a form of their own.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_rule.h"
#include "data/emoji_text.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const table_row countries[] = {
#define COUNTRY(name, adjectives, others) { name, adjectives, others },
#include "data/emoji_country.def"
#undef COUNTRY
};

static void add_flag(phrase_list *list, const char *place)
{
    char plain[128];
    emoji_text_plain(place, plain);
    emoji_phrase_add(list, CLAIM_GIVEN, "flag of %s", plain);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s flag", plain);
    emoji_phrase_add(list, CLAIM_GIVEN, "the flag of %s", plain);
    emoji_phrase_add(list, CLAIM_GIVEN, "the %s flag", plain);
    emoji_phrase_add(list, CLAIM_GIVEN, "flag %s", plain);
    emoji_phrase_add(list, CLAIM_GIVEN, "national flag of %s", plain);
    const table_row *row = EMOJI_RULE_FIND(countries, place);
    if (row) {
        emoji_rule_add_each(list, CLAIM_GIVEN, "", row->first, " flag");
        emoji_rule_add_each(list, CLAIM_GIVEN, "the ", row->first, " flag");
        emoji_rule_add_each(list, CLAIM_GIVEN, "", row->first, " national flag");
        emoji_rule_add_each(list, CLAIM_GIVEN, "flag of ", row->second, "");
        emoji_rule_add_each(list, CLAIM_GIVEN, "flag: ", row->second, "");
        emoji_rule_add_each(list, CLAIM_GIVEN, "", row->second, " flag");
        emoji_rule_add_each(list, CLAIM_GIVEN, "the flag of ", row->second, "");
        emoji_rule_add_each(list, CLAIM_GIVEN, "flag, ", row->first, "");
    }
    emoji_phrase_add(list, CLAIM_TURNED, "%s", plain);
    emoji_phrase_add(list, CLAIM_TURNED, "%s's flag", plain);
    emoji_phrase_add(list, CLAIM_TURNED, "flag for %s", plain);
    emoji_phrase_add(list, CLAIM_TURNED, "%s country flag", plain);
    if (row) emoji_rule_add_each(list, CLAIM_TURNED, "", row->second, "");
    if (row) emoji_rule_add_each(list, CLAIM_TURNED, "", row->first, " country flag");
}

static void add_keycap(phrase_list *list, const char *key)
{
    static const char *const digits[] = { "zero", "one",   "two",   "three", "four", "five",
                                          "six",  "seven", "eight", "nine",  "ten" };
    static const char *const forms[] = {
        "key %s",    "%s key",        "number %s", "the number %s",
        "%s keycap", "%s button",     "digit %s",  "button with the number %s",
        "keycap %s", "number %s key", "%s",        "blue button %s"
    };
    const char *word = strcmp(key, "#") == 0 ? "hash" : strcmp(key, "*") == 0 ? "star" : NULL;
    bool number = isdigit((unsigned char)key[0]);
    if (number && atoi(key) <= 10) word = digits[atoi(key)];
    for (size_t i = 0; i < sizeof forms / sizeof *forms; ++i) {
        if (!number && (strstr(forms[i], "number") || strstr(forms[i], "digit"))) continue;
        char text[64];
        for (int spelled = 0; spelled < 2; ++spelled) {
            emoji_text_fill(forms[i], spelled && word ? word : key, text, sizeof text);
            emoji_phrase_add(list, i < 8 ? CLAIM_GIVEN : CLAIM_TURNED, "%s", text);
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
    emoji_phrase_add(list, CLAIM_GIVEN, "%s", said);
    if (half) emoji_phrase_add(list, CLAIM_GIVEN, "half past %s", word);
    if (full) emoji_phrase_add(list, CLAIM_GIVEN, "%d o'clock", hour + 1);
    emoji_phrase_add(list, CLAIM_GIVEN, "clock at %s", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "clock showing %s", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "clock showing %d:%s", hour + 1, minutes);
    emoji_phrase_add(list, CLAIM_GIVEN, "clock at %d:%s", hour + 1, minutes);
    emoji_phrase_add(list, CLAIM_GIVEN, "%d:%s", hour + 1, minutes);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s clock", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "clock face, %s", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "clock that says %s", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "clock %d:%s", hour + 1, minutes);
    if (half) emoji_phrase_add(list, CLAIM_GIVEN, "clock at half past %s", word);
    if (full) emoji_phrase_add(list, CLAIM_GIVEN, "clock at %s", word);
    if (half) emoji_phrase_add(list, CLAIM_GIVEN, "clock showing half past %s", word);
    emoji_phrase_add(list, CLAIM_GIVEN, "time: %s", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "it is %s", said);
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
    emoji_phrase_add(list, CLAIM_GIVEN, "family of %s", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "family with %s", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "family of %s", with);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s", with);
    emoji_phrase_add(list, CLAIM_GIVEN, "family %s", bare);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s family", bare);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s as a family", said);
    if (strncmp(parts, "man, woman", 10) != 0) return;
    const char *children = parts + 12;
    join(children, ", ", " and ", "a ", with);
    join(children, ", ", " and ", "", said);
    emoji_phrase_add(list, CLAIM_GIVEN, "parents with %s", with);
    emoji_phrase_add(list, CLAIM_GIVEN, "mother, father, %s", said);
}

/* Two people who kiss, love or hold hands; false if `e` is not of that kind. */
bool emoji_rule_pair_of(const char *name, char first[16], char second[16], const char **verb)
{
    *verb = strncmp(name, "kiss", 4) == 0     ? "kissing"
            : strncmp(name, "couple", 6) == 0 ? "in love"
            : strstr(name, "holding hands")   ? "holding hands"
                                              : NULL;
    if (!*verb) return false;
    char rest[16];
    if (sscanf(name, "kiss: %15[a-z], %15[a-z]", first, second) == 2) return true;
    if (sscanf(name, "couple with heart: %15[a-z], %15[a-z]", first, second) == 2) return true;
    if (sscanf(name, "%15[a-z] and %15[a-z] holding%15s", first, second, rest) == 3) return true;
    const char *one = strncmp(name, "men", 3) == 0     ? "man"
                      : strncmp(name, "women", 5) == 0 ? "woman"
                                                       : "person";
    strcpy(first, one);
    strcpy(second, one);
    return true;
}

static void add_pair(phrase_list *list, const char *x, const char *y, const char *verb)
{
    bool same = strcmp(x, y) == 0;
    const char *many = strcmp(x, "man") == 0 ? "men" : strcmp(x, "woman") == 0 ? "women" : "people";
    if (same) emoji_phrase_add(list, CLAIM_GIVEN, "two %s %s", many, verb);
    if (same) emoji_phrase_add(list, CLAIM_GIVEN, "%s %s", many, verb);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s and %s %s", x, y, verb);
    emoji_phrase_add(list, CLAIM_GIVEN, "a %s and a %s %s", x, y, verb);
    emoji_phrase_add(list, CLAIM_GIVEN, "couple %s: %s, %s", verb, x, y);
    emoji_phrase_add(list, CLAIM_GIVEN, "couple of %s and %s, %s", x, y, verb);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s %s %s", x, y, verb);
    if (same) emoji_phrase_add(list, CLAIM_GIVEN, "couple of %s %s", many, verb);
    if (*verb == 'k') emoji_phrase_add(list, CLAIM_GIVEN, "%s kissing a %s", x, y);
    if (*verb == 'k') emoji_phrase_add(list, CLAIM_GIVEN, "kiss between a %s and a %s", x, y);
    if (*verb == 'k') emoji_phrase_add(list, CLAIM_GIVEN, "%s and %s kiss", x, y);
    if (*verb == 'i') emoji_phrase_add(list, CLAIM_GIVEN, "%s and %s with a heart", x, y);
    if (*verb == 'i') emoji_phrase_add(list, CLAIM_GIVEN, "%s in love with a %s", x, y);
    if (*verb == 'h') emoji_phrase_add(list, CLAIM_GIVEN, "%s holding hands with a %s", x, y);
    if (*verb == 'h') emoji_phrase_add(list, CLAIM_GIVEN, "%s and %s hand in hand", x, y);
}

/* "man: red hair". */
void emoji_rule_hair(phrase_list *list, const char *who, const char *what)
{
    const char *hair = strstr(what, " hair");
    int length = hair ? (int)(hair - what) : 0;
    if (hair) {
        emoji_phrase_add(list, CLAIM_GIVEN, "%s with %s", who, what);
        emoji_phrase_add(list, CLAIM_GIVEN, "%.*s-haired %s", length, what, who);
        emoji_phrase_add(list, CLAIM_GIVEN, "%.*s haired %s", length, what, who);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s who has %s", who, what);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s %s", what, who);
        if (strncmp(what, "red", 3) == 0) emoji_phrase_add(list, CLAIM_GIVEN, "redheaded %s", who);
        if (strncmp(what, "red", 3) == 0) emoji_phrase_add(list, CLAIM_GIVEN, "ginger %s", who);
        if (strncmp(what, "blond", 5) == 0) emoji_phrase_add(list, CLAIM_GIVEN, "blond %s", who);
        if (strncmp(what, "blond", 5) == 0) emoji_phrase_add(list, CLAIM_GIVEN, "blonde %s", who);
        if (strncmp(what, "blond", 5) == 0) emoji_phrase_add(list, CLAIM_GIVEN, "%s with blonde hair", who);
        if (strncmp(what, "curly", 5) == 0) emoji_phrase_add(list, CLAIM_GIVEN, "%s with curls", who);
    } else if (strcmp(what, "bald") == 0) {
        emoji_phrase_add(list, CLAIM_GIVEN, "bald %s", who);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s without hair", who);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s with a bald head", who);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s who is bald", who);
        emoji_phrase_add(list, CLAIM_GIVEN, "bald headed %s", who);
    } else {
        emoji_phrase_add(list, CLAIM_GIVEN, "%s with %s", who, what);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s with a %s", who, what);
        if (strcmp(what, "beard") == 0) emoji_phrase_add(list, CLAIM_GIVEN, "bearded %s", who);
        if (strcmp(what, "beard") == 0) emoji_phrase_add(list, CLAIM_GIVEN, "%s who has a beard", who);
    }
}

bool emoji_rule_named(phrase_list *list, const emoji_entry *e)
{
    const char *name = e->caption;
    char first[16], second[16];
    const char *verb;
    if (strncmp(name, "flag: ", 6) == 0)
        add_flag(list, name + 6);
    else if (strncmp(name, "keycap: ", 8) == 0)
        add_keycap(list, name + 8);
    else if (strncmp(name, "family: ", 8) == 0)
        add_family(list, name + 8);
    else if (strcmp(e->group, "People & Body") == 0 && emoji_rule_pair_of(name, first, second, &verb) &&
             (strchr(name, ':') || strstr(name, "hands")))
        add_pair(list, first, second, verb);
    else
        return add_clock(list, name);
    return true;
}

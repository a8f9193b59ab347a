/* emoji_variant.c -- phrases for variants by skin tone, and for things given another colour.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_colour.h"
#include "data/emoji_rule.h"
#include "data/emoji_split.h"
#include "data/emoji_text.h"
#include <stdio.h>
#include <string.h>

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
    case 0:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s %s %s skin", p, join_with, tone);
        break;
    case 1:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s-skinned %s", tone, p);
        break;
    case 2:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s skin tone %s", tone, p);
        break;
    case 3:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s, %s skin", p, tone);
        break;
    case 4:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s %s %s skin tone", p, join_with, tone);
        break;
    case 5:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s skinned %s", loose, p);
        break;
    case 6:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s %s a %s skin tone", p, join_with, loose);
        break;
    case 7:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s %s skin tone", p, loose);
        break;
    case 8:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s skin %s", loose, p);
        break;
    default:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s, %s skin tone", p, tone);
        break;
    }
}

static void add_two_tones(phrase_list *list, const char *p, const tones *t, int form)
{
    const char *a = t->first, *b = t->second, *join_with = strstr(p, " with ") ? "and" : "with";
    switch (form) {
    case 0:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s %s %s and %s skin", p, join_with, a, b);
        break;
    case 1:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s, %s skin and %s skin", p, a, b);
        break;
    case 2:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s: %s skin, %s skin", p, a, b);
        break;
    case 3:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s and %s skin tone %s", a, b, p);
        break;
    default:
        emoji_phrase_add(list, CLAIM_GIVEN, "%s, one with %s skin, one with %s skin", p, a, b);
        break;
    }
}

static void add_toned_pair(phrase_list *list, const char *name, const tones *t)
{
    char x[16], y[16];
    const char *verb, *a = t->first, *b = t->second;
    if (!emoji_rule_pair_of(name, x, y, &verb)) return;
    emoji_phrase_add(list, CLAIM_GIVEN, "%s-skinned %s and %s-skinned %s %s", a, x, b, y, verb);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s with %s skin and %s with %s skin %s", x, a, y, b, verb);
    emoji_phrase_add(list, CLAIM_GIVEN, "a %s-skinned %s and a %s-skinned %s %s", a, x, b, y, verb);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s %s and %s %s %s", a, x, b, y, verb);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s: %s %s skin, %s %s skin", verb, x, a, y, b);
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
    emoji_phrase_add(list, CLAIM_GIVEN, "%s in %s", thing, colour);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s, %s", thing, colour);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s that is %s", thing, colour);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s coloured %s", colour, thing);
    emoji_phrase_add(list, CLAIM_GIVEN, "%s %s", thing, colour);
    for (int i = 0; i < base_count && list->count < 16; ++i) {
        if (emoji_text_has_colour(base[i]) || strpbrk(base[i], ":,") ||
            emoji_split_holds_out(base[i], colour))
            continue;
        emoji_phrase_add(list, CLAIM_GIVEN, "%s %s", colour, base[i]);
        emoji_phrase_add(list, CLAIM_GIVEN, "%s in %s", base[i], colour);
    }
}

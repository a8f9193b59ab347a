/* emoji_recolour.c -- which things get which other colours.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_caption.h"
#include "data/emoji_phrase.h"
#include "data/emoji_split.h"
#include "data/emoji_text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool may_change(const emoji_entry *e, const emoji_colour *c)
{
    static const char *const groups[] = { "Animals & Nature", "Food & Drink", "Travel & Places", "Activities",
                                          "Objects" };
    bool right = strcmp(e->subgroup, "heart") == 0 || strcmp(e->subgroup, "geometric") == 0;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; ++i)
        right = right || strcmp(e->group, groups[i]) == 0;
    if (!right || !c->one_hue || e->held_out || e->skin_tone) return false;
    return !strstr(e->caption, "face") && !strpbrk(e->caption, ":,") && emoji_text_words(e->caption) <= 3;
}

/* Whether a real emoji has this colour and one of these words in its name: "blue heart" for a heart suit. */
static bool is_real(const emoji_list *list, int real, const char *name, const char *colour)
{
    for (const char *word = name; *word;) {
        size_t length = strcspn(word, " "), stem = length;
        if (stem > 3 && word[stem - 1] == 's') --stem;
        bool tells = stem > 2 && !emoji_colour_is_name(word, length);
        for (int i = 0; tells && i < real; ++i) {
            const char *caption = list->entries[i].caption;
            if (strstr(caption, colour) && memmem(caption, strlen(caption), word, stem)) return true;
        }
        word += length;
        word += strspn(word, " ");
    }
    return false;
}

static bool differs(const emoji_colour *c, const emoji_hue *to)
{
    float apart = fabsf(c->hue - to->hue);
    if (apart > 180) apart = 360 - apart;
    if (c->name && strcmp(c->name, to->name) == 0) return false;
    return apart > 38 && (!to->bright || c->value > 0.8f);
}

static bool is_taken(const emoji_list *list, const char *caption)
{
    for (int i = 0; i < list->count; ++i)
        if (strcmp(list->entries[i].caption, caption) == 0) return true;
    return false;
}

/* A red and a blue circle both become the same pink one: the first is kept. */
static bool append(emoji_list *list, int original, const emoji_hue *to, int *room, error *err)
{
    if (list->count == *room) {
        emoji_entry *larger = realloc(list->entries, (size_t)(*room + 256) * sizeof *larger);
        if (!larger) return error_set(err, ERROR_MEMORY, "no memory for coloured emoji");
        list->entries = larger;
        *room += 256;
    }
    emoji_entry e = list->entries[original];
    e.recolour = to;
    e.original = original;
    e.key = arena_printf(list->memory, "%s-hue-%s", e.key, to->name);
    e.caption = emoji_coloured_name(list->memory, e.caption, to->name);
    if (!e.key || !e.caption) return error_set(err, ERROR_MEMORY, "no memory for coloured emoji");
    if (!is_taken(list, e.caption)) list->entries[list->count++] = e;
    return true;
}

/* The k-th colour that a thing is tried in: each begins with another, so that all come equally often. */
static const emoji_hue *hue_at(int thing, int k)
{
    return &emoji_hues[(thing + k * 3) % emoji_hue_count];
}

static bool may_have(const emoji_list *list, int real, int i, const emoji_colour *colours,
                     const emoji_hue *to)
{
    const char *name = list->entries[i].caption;
    return differs(&colours[i], to) && !is_real(list, real, name, to->name) &&
           !emoji_split_holds_out(name, to->name);
}

bool emoji_recolour(emoji_list *list, const emoji_colour *colours, int most, error *err)
{
    int real = list->count, room = list->count;
    for (int round = 0; round < emoji_hue_count; ++round)
        for (int i = 0, thing = 0; i < real && list->count - real < most; ++i) {
            if (!may_change(&list->entries[i], &colours[i])) continue;
            const emoji_hue *to = hue_at(thing++, round);
            if (may_have(list, real, i, colours, to) && !append(list, i, to, &room, err)) return false;
        }
    return true;
}

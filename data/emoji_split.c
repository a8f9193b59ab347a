/* emoji_split.c -- the rule of emoji_split.h.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_split.h"
#include <stdlib.h>
#include <string.h>

/* As `combinations` has them: heart (green, brown), apple, book, circle (orange, purple), square (yellow,
 * blue). */
static const char *const colours[] = { "e1f49a", "e1f90e", "e1f34f", "e1f4d9",
                                       "e1f7e0", "e1f7e3", "e1f7e8", "e1f7e6" };

static const char *const combinations[][2] = { { "heart", "green" },   { "heart", "brown" },
                                               { "apple", "green" },   { "book", "orange" },
                                               { "circle", "orange" }, { "circle", "purple" },
                                               { "square", "yellow" }, { "square", "blue" } };

bool emoji_split_holds_out(const char *name, const char *colour)
{
    for (size_t i = 0; i < sizeof combinations / sizeof *combinations; ++i)
        if (strstr(name, combinations[i][0]) && strcmp(colour, combinations[i][1]) == 0) return true;
    return false;
}

bool emoji_split_may_say(const char *text)
{
    for (size_t i = 0; i < sizeof combinations / sizeof *combinations; ++i)
        if (strstr(text, combinations[i][0]) && strstr(text, combinations[i][1])) return false;
    return true;
}

typedef struct variant {
    uint32_t base[EMOJI_MAX_POINTS]; /* without skin tones, zeros behind */
    uint32_t sum;
    int entry;
} variant;

bool emoji_is_skin_tone(uint32_t point)
{
    return point >= 0x1F3FB && point <= 0x1F3FF;
}

static uint32_t crc32_of(const char *text)
{
    uint32_t sum = 0xFFFFFFFFu;
    for (; *text; ++text) {
        sum ^= (unsigned char)*text;
        for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1u ? 0xEDB88320u : 0u);
    }
    return ~sum;
}

static int by_base_and_sum(const void *left, const void *right)
{
    const variant *a = left, *b = right;
    int order = memcmp(a->base, b->base, sizeof a->base);
    return order ? order : (a->sum > b->sum) - (a->sum < b->sum);
}

static variant variant_of(const emoji_list *list, int entry)
{
    const emoji_entry *e = &list->entries[entry];
    variant v = { .sum = crc32_of(e->key), .entry = entry };
    for (int i = 0, kept = 0; i < e->point_count; ++i)
        if (!emoji_is_skin_tone(e->points[i])) v.base[kept++] = e->points[i];
    return v;
}

bool emoji_split(emoji_list *list, error *err)
{
    variant *variants = malloc((size_t)(list->count + 1) * sizeof *variants);
    if (!variants) return error_set(err, ERROR_MEMORY, "no memory to split %d emoji", list->count);
    int count = 0;
    for (int i = 0; i < list->count; ++i) {
        emoji_entry *e = &list->entries[i];
        e->held_out = false;
        for (size_t c = 0; c < sizeof colours / sizeof *colours; ++c)
            if (strcmp(e->key, colours[c]) == 0) e->held_out = true;
        if (e->skin_tone) variants[count++] = variant_of(list, i);
    }
    qsort(variants, (size_t)count, sizeof *variants, by_base_and_sum);
    for (int first = 0, end; first < count; first = end) {
        for (end = first + 1;
             end < count && memcmp(variants[end].base, variants[first].base, sizeof variants->base) == 0;)
            ++end;
        for (int i = first; i < first + (end - first) / 5; ++i)
            list->entries[variants[i].entry].held_out = true;
    }
    free(variants);
    return true;
}

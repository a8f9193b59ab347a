/* emoji_caption.c -- collects phrases and settles who may have which.
 * SPDX-License-Identifier: MIT */
#include "data/emoji_caption.h"
#include "data/emoji_phrase.h"
#include "data/emoji_text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct claim {
    const char *key;
    int entry, index; /* of a phrase; -1 = the entry's name */
    int rank;
} claim;

typedef struct settling {
    emoji_list *list;
    phrase_list *phrases; /* of each entry */
    arena *memory;        /* of the texts */
    claim *claims;
    int64_t count;
    error *err;
} settling;

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for captions of emoji");
}

static int by_key(const void *left, const void *right)
{
    const claim *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    if (order) return order;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return (a->entry > b->entry) - (a->entry < b->entry);
}

static bool put_claim(settling *s, const char *text, int entry, int index, int rank)
{
    char key[256];
    emoji_text_key(text, key, sizeof key);
    const char *kept = arena_strdup(s->memory, key);
    if (kept) s->claims[s->count++] = (claim){ kept, entry, index, rank };
    return kept || no_memory(s->err);
}

static bool collect_claims(settling *s)
{
    int64_t total = s->list->count;
    for (int i = 0; i < s->list->count; ++i) {
        if (s->phrases[i].no_memory) return no_memory(s->err);
        total += s->phrases[i].count;
    }
    s->claims = malloc((size_t)total * sizeof *s->claims);
    s->count = 0;
    bool done = s->claims || no_memory(s->err);
    for (int i = 0; done && i < s->list->count; ++i) {
        done = put_claim(s, s->list->entries[i].caption, i, -1, -1);
        for (int k = 0; done && k < s->phrases[i].count; ++k)
            done = put_claim(s, s->phrases[i].items[k].text, i, k, (int)s->phrases[i].items[k].claim);
    }
    return done;
}

/* `first` to `end` claim the same words. */
static void award(settling *s, const claim *first, const claim *end)
{
    int owner = first->entry;
    for (const claim *c = first; c < end && c->rank == first->rank; ++c)
        if (c->entry != owner) owner = -1;
    for (const claim *c = first; c < end; ++c)
        if (c->index >= 0 && c->entry != owner) s->phrases[c->entry].items[c->index].text = NULL;
}

static void drop_lost(phrase_list *p, const char *name)
{
    int kept = 0;
    for (int i = 0; i < p->count; ++i)
        if (p->items[i].text && strcasecmp(p->items[i].text, name) != 0) p->items[kept++] = p->items[i];
    p->count = kept;
}

static bool settle(settling *s)
{
    bool done = collect_claims(s);
    if (done) {
        qsort(s->claims, (size_t)s->count, sizeof *s->claims, by_key);
        for (int64_t first = 0, end; first < s->count; first = end) {
            for (end = first + 1; end < s->count && strcmp(s->claims[end].key, s->claims[first].key) == 0;)
                ++end;
            award(s, &s->claims[first], s->claims + end);
        }
        for (int i = 0; i < s->list->count; ++i) drop_lost(&s->phrases[i], s->list->entries[i].caption);
    }
    free(s->claims);
    s->claims = NULL;
    return done;
}

static int find_name(const emoji_list *list, const char *name)
{
    for (int i = 0; i < list->count; ++i)
        if (strcmp(list->entries[i].caption, name) == 0) return i;
    return -1;
}

/* The phrases of the emoji that entry `i` is a variant of, as texts; *count may be 0. */
static const char **base_texts(settling *s, int i, int *count)
{
    const emoji_entry *e = &s->list->entries[i];
    *count = 0;
    char *name = e->recolour ? NULL : emoji_untoned_name(s->memory, e->caption);
    int base = e->recolour ? e->original : name ? find_name(s->list, name) : -1;
    int most = base >= 0 ? s->phrases[base].count : 0;
    const char **texts = malloc(((size_t)most + 1) * sizeof *texts);
    for (int k = 0; texts && k < most; ++k) texts[(*count)++] = s->phrases[base].items[k].text;
    if (!name && !e->recolour) s->phrases[i].no_memory = true;
    return texts;
}

static bool add_variant(settling *s, int i)
{
    const emoji_entry *e = &s->list->entries[i];
    if (!e->recolour && !e->skin_tone) return true;
    int count;
    const char **texts = base_texts(s, i, &count);
    if (!texts) return no_memory(s->err);
    if (e->recolour)
        emoji_coloured_phrases(&s->phrases[i], s->list->entries[e->original].caption, e->recolour->name,
                               texts, count);
    else
        emoji_toned_phrases(&s->phrases[i], e, texts, count);
    free(texts);
    return true;
}

static bool keep(settling *s, int i)
{
    emoji_entry *e = &s->list->entries[i];
    const phrase_list *p = &s->phrases[i];
    int count = p->count < EMOJI_MOST_CAPTIONS ? p->count : EMOJI_MOST_CAPTIONS;
    e->captions = arena_alloc(s->list->memory, ((size_t)count + 1) * sizeof *e->captions);
    for (int k = 0; e->captions && k < count; ++k) {
        e->captions[k] = arena_strdup(s->list->memory, p->items[k].text);
        if (!e->captions[k]) return no_memory(s->err);
    }
    e->caption_count = count;
    return e->captions || no_memory(s->err);
}

bool emoji_captions(emoji_list *list, const emoji_colour *colours, error *err)
{
    settling s = { .list = list, .err = err, .memory = arena_create() };
    s.phrases = calloc((size_t)list->count + 1, sizeof *s.phrases);
    bool done = (s.memory && s.phrases) || no_memory(err);
    for (int i = 0; done && i < list->count; ++i) {
        const emoji_entry *e = &list->entries[i];
        s.phrases[i].memory = s.memory;
        if (!e->skin_tone && !e->recolour) emoji_phrases(&s.phrases[i], e, colours[i].name);
    }
    done = done && settle(&s);
    for (int i = 0; done && i < list->count; ++i) done = add_variant(&s, i);
    done = done && settle(&s);
    for (int i = 0; done && i < list->count; ++i) done = keep(&s, i);
    for (int i = 0; s.phrases && i < list->count; ++i) free(s.phrases[i].items);
    free(s.phrases);
    arena_destroy(s.memory);
    return done;
}

/* dataset_pair.c -- see dataset_pair.h; the rule is at the head of dataset.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_pair.h"
#include "host/base/log.h"
#include <stdlib.h>
#include <string.h>

static int by_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Members that differ behind the first dot of their last part alone come together. */
static int by_stem(const member *a, const member *b)
{
    size_t shorter = a->stem_length < b->stem_length ? a->stem_length : b->stem_length;
    int order = strncmp(a->key, b->key, shorter);
    return order ? order : by_number((int64_t)a->stem_length, (int64_t)b->stem_length);
}

static int by_key(const void *left, const void *right)
{
    const member *a = left, *b = right;
    int order = by_number(a->source, b->source);
    if (!order) order = by_stem(a, b);
    if (!order) order = strcmp(a->key, b->key);
    if (!order) order = by_number(a->kind, b->kind);
    if (!order) order = by_number(a->foreign, b->foreign);
    if (!order) order = strcmp(a->name, b->name);
    return order ? order : by_number(a->order, b->order);
}

static int by_order(const void *left, const void *right)
{
    return by_number(((const pair_item *)left)->picture.order, ((const pair_item *)right)->picture.order);
}

static bool same_key(const member *a, const member *b)
{
    return a->source == b->source && strcmp(a->key, b->key) == 0;
}

/* Of a name that comes again the last one counts, as when the tar is unpacked; a picture of a format that is
 * not read gives way to one that is. */
static bool drop_doubles(pairing *p)
{
    member *m = p->list->items;
    int64_t kept = 0;
    for (int64_t i = 0; i < p->list->count; ++i) {
        const member *before = kept ? &m[kept - 1] : NULL;
        bool same = before && same_key(before, &m[i]) && before->kind == m[i].kind;
        bool again = same && strcmp(before->name, m[i].name) == 0, worse = same && !again && m[i].foreign;
        if (again) --kept;
        if (again && !source_leave_out(p->list, m[i].name, "comes again later, which is used", p->err))
            return false;
        if (worse && !source_leave_out(p->list, m[i].name, "stands beside a picture of that name", p->err))
            return false;
        if (!worse) m[kept++] = m[i];
    }
    p->list->count = kept;
    return true;
}

/* The members of one sample; any may be missing. */
typedef struct parts {
    const member *picture, *caption, *details;
} parts;

static bool set_part(const pairing *p, parts *s, const member *m)
{
    const member **place = m->kind == MEMBER_PICTURE   ? &s->picture
                           : m->kind == MEMBER_CAPTION ? &s->caption
                                                       : &s->details;
    if (!*place) return *place = m, true;
    return error_set(p->err, ERROR_FORMAT, "%s: has two %s named '%s': '%s' and '%s'", p->paths[m->source],
                     m->kind == MEMBER_PICTURE   ? "pictures"
                     : m->kind == MEMBER_CAPTION ? "captions"
                                                 : "descriptions",
                     m->key, (*place)->name, m->name);
}

static bool take_sample(pairing *p, const parts *s, const char *key)
{
    if (!s->picture) {
        if (s->caption && p->lonely_captions++ == 0) p->first_caption = s->caption;
        return !s->caption || source_leave_out(p->list, s->caption->name, "no picture is named so", p->err);
    }
    p->paired += s->caption != NULL;
    const sample_reader r = { p->list->memory, p->paths[s->picture->source], p->err };
    dataset_sample sample = sample_blank(key);
    if (s->caption && !sample_take_captions(&r, s->caption, &sample)) return false;
    if (s->details && !sample_take_details(&r, s->details, &sample)) return false;
    if (s->caption && !sample.caption_count && p->need_captions)
        return error_set(p->err, ERROR_FORMAT, "%s: the caption of '%s' is empty", r.path, key);
    if (!sample.caption_count && p->lonely_pictures++ == 0) p->first_picture = s->picture;
    p->items[p->count++] = (pair_item){ sample, *s->picture, s->details ? s->details->text : NULL };
    return true;
}

/* WebDataset's samples, as of "7.input.jpg" and "7.outputs.txt": one picture and at most one caption,
 * whatever stands behind the first dot.  True if the members are such a one. */
static bool is_one_sample(const member *m, int64_t count, parts *s)
{
    int64_t pictures = 0, captions = 0;
    *s = (parts){ 0 };
    for (int64_t i = 0; i < count; ++i) {
        if (m[i].kind == MEMBER_PICTURE && pictures++ == 0) s->picture = &m[i];
        if (m[i].kind == MEMBER_CAPTION && captions++ == 0) s->caption = &m[i];
    }
    if (pictures != 1 || captions > 1) return false;
    for (int64_t i = 0; i < count; ++i) {
        bool whole = m[i].key_length == m[i].stem_length;
        bool fits = whole || same_key(&m[i], s->picture) || (s->caption && same_key(&m[i], s->caption));
        if (m[i].kind == MEMBER_DETAILS && fits && (!s->details || same_key(&m[i], s->picture)))
            s->details = &m[i];
    }
    return (s->caption && !same_key(s->caption, s->picture)) ||
           (s->details && !same_key(s->details, s->picture));
}

static int64_t key_end(const member *m, int64_t first, int64_t count)
{
    int64_t end = first + 1;
    while (end < count && same_key(&m[first], &m[end])) ++end;
    return end;
}

/* Beside "7.jpg" with "7.txt" or "7.json", "7.depth.png" is something else about the same picture. */
static bool leave_out(pairing *p, const parts *s)
{
    const char *why = "its name up to the first dot is that of a picture with a caption";
    return (!s->picture || source_leave_out(p->list, s->picture->name, why, p->err)) &&
           (!s->caption || source_leave_out(p->list, s->caption->name, why, p->err));
}

/* `m`: all members alike up to the first dot of their last part, which are one key's or several keys'. */
static bool take_stem(pairing *p, const member *m, int64_t count)
{
    parts s;
    bool complete = false; /* the stem itself is a key with a picture and more */
    if (is_one_sample(m, count, &s)) {
        char *key = arena_strdup(p->list->memory, m->key);
        if (!key) return error_set(p->err, ERROR_MEMORY, "no memory for the data set");
        key[m->stem_length] = 0;
        const member *other = s.caption && !same_key(s.caption, s.picture) ? s.caption : s.details;
        if (p->joined++ == 0)
            log_info("'%s' and '%s' are taken for one sample, '%s', and others in the same way",
                     s.picture->name, other->name, key);
        return take_sample(p, &s, key);
    }
    for (int64_t first = 0, end; first < count; first = end) {
        end = key_end(m, first, count);
        s = (parts){ 0 };
        for (int64_t i = first; i < end; ++i)
            if (!set_part(p, &s, &m[i])) return false;
        bool whole = m[first].key_length == m[first].stem_length;
        if (whole) complete = s.picture && (s.caption || s.details);
        bool alone = !s.picture || (!s.caption && !s.details);
        if (!(complete && !whole && alone ? leave_out(p, &s) : take_sample(p, &s, m[first].key)))
            return false;
    }
    return true;
}

static bool check(const pairing *p)
{
    /* A few are a note, or of pictures that did not arrive; where most are, names do not fit together. */
    if (p->lonely_captions > p->paired)
        return error_set(p->err, ERROR_FORMAT, "%s: %lld of its captions have no picture, the first is '%s'",
                         p->paths[p->first_caption->source], (long long)p->lonely_captions,
                         p->first_caption->name);
    if (p->lonely_pictures && p->need_captions)
        return error_set(p->err, ERROR_FORMAT,
                         "%s: %lld of %lld pictures have no caption, the first is '%s'; put it into '%s.txt'",
                         p->paths[p->first_picture->source], (long long)p->lonely_pictures,
                         (long long)p->count, p->first_picture->name, p->first_picture->key);
    if (p->count == 0)
        return error_set(p->err, ERROR_FORMAT,
                         "%s: holds no picture (KEY.png, KEY.jpg) with a caption (KEY.txt)", p->paths[0]);
    return true;
}

bool pair_members(pairing *p)
{
    member_list *list = p->list;
    p->items = calloc((size_t)list->count + 1, sizeof *p->items);
    if (!p->items) return error_set(p->err, ERROR_MEMORY, "no memory for the data set");
    if (list->count) qsort(list->items, (size_t)list->count, sizeof *list->items, by_key);
    if (!drop_doubles(p)) return false;
    for (int64_t first = 0, end; first < list->count; first = end) {
        const member *m = &list->items[first];
        for (end = first + 1; end < list->count; ++end)
            if (list->items[end].source != m->source || by_stem(m, &list->items[end]) != 0) break;
        if (!take_stem(p, m, end - first)) return false;
    }
    if (!check(p)) return false;
    qsort(p->items, (size_t)p->count, sizeof *p->items, by_order);
    return true;
}

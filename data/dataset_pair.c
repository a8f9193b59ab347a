/* dataset_pair.c -- see dataset_pair.h; the rule is at the head of dataset.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_pair.h"
#include "host/base/log.h"
#include <stdio.h>
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
        if (again &&
            !source_leave_out(p->list, m[i].source, m[i].name, "comes again later, which is used", p->err))
            return false;
        if (worse && !source_leave_out(p->list, m[i].source, m[i].name,
                                       "stands beside a picture of that name", p->err))
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

/* Leaves out a sample for what is wrong with it alone. */
static bool spoil(pairing *p, const member *m, const char *why)
{
    if (p->spoilt++ == 0) snprintf(p->why_first, sizeof p->why_first, "%s", why);
    return source_leave_out(p->list, m->source, m->name, why, p->err);
}

/* False if the sample has such a part already; then both are named in `why`. */
static bool set_part(parts *s, const member *m, char why[256])
{
    const member **place = m->kind == MEMBER_PICTURE   ? &s->picture
                           : m->kind == MEMBER_CAPTION ? &s->caption
                                                       : &s->details;
    if (!*place) return *place = m, true;
    snprintf(why, 256, "two %s named '%.60s': '%.60s' and '%.60s'",
             m->kind == MEMBER_PICTURE   ? "pictures"
             : m->kind == MEMBER_CAPTION ? "captions"
                                         : "descriptions",
             m->key, (*place)->name, m->name);
    return false;
}

/* Of a sample that has no caption where one is needed, though it has a file for it, which is empty or, as the
 * last note says, cannot be used. */
static bool leave_out_sample(pairing *p, const parts *s, const char *key, bool noted)
{
    char why[300];
    const member_list *list = p->list;
    if (noted)
        snprintf(why, sizeof why, "%s", list->left_out[list->left_out_count - 1]);
    else
        snprintf(why, sizeof why, "the caption of '%s' is empty", key);
    return spoil(p, s->picture, why);
}

static bool take_sample(pairing *p, const parts *s, const char *key)
{
    member_list *list = p->list;
    if (!s->picture) {
        if (s->caption && p->lonely_captions++ == 0) p->first_caption = s->caption;
        return !s->caption ||
               source_leave_out(list, s->caption->source, s->caption->name, SOURCE_NOBODYS, p->err);
    }
    p->paired += s->caption != NULL;
    const sample_reader r = { list->memory, p->paths[s->picture->source], p->err, list };
    dataset_sample sample = sample_blank(key);
    int64_t notes = list->left_out_count;
    if (s->caption && !sample_take_captions(&r, s->caption, &sample)) return false;
    if (s->details && !sample_take_details(&r, s->details, &sample)) return false;
    bool noted = list->left_out_count > notes;
    if (p->need_captions && !sample.caption_count && (s->caption || noted))
        return leave_out_sample(p, s, key, noted);
    if (!sample.caption_count && p->lonely_pictures++ == 0) p->first_picture = s->picture;
    p->items[p->count++] =
        (pair_item){ sample, *s->picture, s->caption, s->details, s->details ? s->details->text : NULL };
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
    const member *both[] = { s->picture, s->caption };
    for (int i = 0; i < 2; ++i) {
        char why[200];
        if (!both[i]) continue;
        snprintf(
            why, sizeof why,
            "its name up to the first dot is that of a picture with a caption; the option '%s=%.60s' behind "
            "'?' takes this instead",
            i ? "caption" : "picture", both[i]->name + both[i]->stem_length + 1);
        if (!source_leave_out(p->list, both[i]->source, both[i]->name, why, p->err)) return false;
    }
    return true;
}

/* "7.input.jpg" and "7.target.jpg" with "7.outputs.txt" may be a picture and its caption; which, only their
 * owner knows.  Said once, for the first. */
static void say_unsure(pairing *p, const member *m, int64_t count)
{
    const member *picture = NULL, *caption = NULL;
    int64_t pictures = 0, captions = 0;
    for (int64_t i = 0; i < count; ++i) {
        bool is_picture = m[i].kind == MEMBER_PICTURE;
        for (int64_t k = 0; k < count; ++k) /* a pair by its whole name leaves no doubt */
            if (m[k].kind != m[i].kind && same_key(&m[i], &m[k])) return;
        if (m[i].kind == MEMBER_DETAILS || m[i].key_length == m[i].stem_length) continue;
        if (is_picture && pictures++ == 0) picture = &m[i];
        if (!is_picture && captions++ == 0) caption = &m[i];
    }
    if (pictures == 0 || captions == 0 || p->part || p->unsure++ > 0) return;
    log_warn(
        "%s: '%.*s' has several parts that may be its picture or its caption (%lld and %lld), and others "
        "may have; name them: '%s?picture=%s&caption=%s'",
        p->paths[m->source], (int)m->stem_length, m->key, (long long)pictures, (long long)captions,
        p->paths[m->source], picture->name + m->stem_length + 1, caption->name + m->stem_length + 1);
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
        if (p->joined++ == 0 && !p->part)
            log_info("'%s' and '%s' are taken for one sample, '%s', and others in the same way",
                     s.picture->name, other->name, key);
        return take_sample(p, &s, key);
    }
    say_unsure(p, m, count);
    for (int64_t first = 0, end; first < count; first = end) {
        char why[256] = "";
        end = key_end(m, first, count);
        s = (parts){ 0 };
        for (int64_t i = first; i < end && !*why; ++i) set_part(&s, &m[i], why);
        bool whole = m[first].key_length == m[first].stem_length;
        if (whole) complete = s.picture && (s.caption || s.details);
        bool alone = !s.picture || (!s.caption && !s.details);
        if (!(*why                          ? spoil(p, &m[first], why)
              : complete && !whole && alone ? leave_out(p, &s)
                                            : take_sample(p, &s, m[first].key)))
            return false;
    }
    return true;
}

static bool check(const pairing *p)
{
    if (p->part) return true;
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
    if (p->count == 0 && p->spoilt)
        return error_set(p->err, ERROR_FORMAT, "%s: none of its %lld pictures can be used; the first: %s",
                         p->paths[0], (long long)p->spoilt, p->why_first);
    if (p->count == 0 && p->list->left_out_count)
        return error_set(p->err, ERROR_FORMAT,
                         "%s: holds no picture that can be used, with or without a caption; %lld are left "
                         "out, the first is %s",
                         p->paths[0], (long long)p->list->left_out_count, p->list->left_out[0]);
    if (p->count == 0)
        return error_set(p->err, ERROR_FORMAT,
                         "%s: holds no picture (KEY.png, KEY.jpg), with or without a caption (KEY.txt)",
                         p->paths[0]);
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

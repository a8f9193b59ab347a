/* check.c -- see check.h.
 * SPDX-License-Identifier: MIT */
#include "data/check.h"
#include "data/check_source.h"
#include "data/dataset.h"
#include "data/dataset_text.h"
#include "data/sweep.h"
#include "host/base/arena.h"
#include "host/base/file.h"
#include "host/base/utf8.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACES " \t\r\n"

/* A finding about a text is none where no picture has its name: it is somebody's note. */
typedef struct pending {
    check_finding finding;
    uint64_t stem; /* 0: of no text */
} pending;

typedef struct checker {
    const check_options *o;
    check_source *source;
    check_report *report;
    pending *found;
    int64_t found_count, found_room;
    uint64_t *pictures; /* stems */
    int64_t picture_count, picture_room;
    int64_t members;
} checker;

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for the findings of a check");
}

/* ---- One member ---- */

enum { WORDS = sizeof((error *)0)->message };

static void say(char words[WORDS], const char *text)
{
    snprintf(words, WORDS, "%s", text);
}

/* These leave `words` empty where nothing is wrong; false: memory is out. */
static bool judge_picture(const check_member *m, char words[WORDS])
{
    image picture = { 0 };
    error err = { 0 };
    if (!image_decode(m->bytes, (size_t)m->about.size, "?", &picture, &err))
        say(words, strncmp(err.message, "?: ", 3) == 0 ? err.message + 3 : err.message);
    image_free(&picture);
    return err.code != ERROR_MEMORY;
}

static const char *bad_bytes(const check_member *m)
{
    const char *text = m->bytes;
    if (strlen(text) != (size_t)m->about.size)
        return "holds a zero byte; it may be UTF-16: convert it with iconv";
    if (utf8_check(text) < 0) return NULL;
    bool wide = strncmp(text, "\xff\xfe", 2) == 0 || strncmp(text, "\xfe\xff", 2) == 0;
    return wide ? "is not UTF-8; it may be UTF-16: convert it with iconv"
                : "is not UTF-8; it may be Latin-1: convert it with iconv";
}

static bool judge_caption(const check_member *m, char words[WORDS])
{
    const char *bad = bad_bytes(m), *text = m->bytes;
    bool any = false;
    if (bad) return say(words, bad), true;
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
    while (*text) {
        size_t length = strcspn(text, "\r\n");
        any = any || strspn(text, SPACES) < length;
        if (length > DATASET_MAX_CAPTION)
            snprintf(words, WORDS, "a caption has %zu bytes; at most %d are allowed", length,
                     DATASET_MAX_CAPTION);
        text += length + (text[length] != 0);
    }
    if (!any) say(words, "is empty");
    return true;
}

static bool are_texts(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); ++i)
        if (!json_is_string(json_array_get(list, i))) return false;
    return json_is_array(list);
}

static const char *bad_field(const json_t *o)
{
    static const char *const texts[] = { "split", "group" }, *const lists[] = { "captions", "keywords" };
    for (int i = 0; i < 2; ++i) {
        const json_t *text = json_object_get(o, texts[i]), *list = json_object_get(o, lists[i]);
        if (text && !json_is_null(text) && !json_is_string(text))
            return i ? "\"group\" is no text" : "\"split\" is no text";
        if (list && !json_is_null(list) && !are_texts(list))
            return i ? "\"keywords\" is no list of texts" : "\"captions\" is no list of texts";
    }
    const json_t *repeat = json_object_get(o, "repeat");
    json_int_t times = json_integer_value(repeat);
    if (repeat && !json_is_null(repeat) && (times < 1 || times > DATASET_MAX_REPEAT))
        return "\"repeat\" is no whole number from 1 to 64";
    return NULL;
}

/* By what reading makes of it: img2dataset writes NaN, which costs nothing. */
static bool judge_description(const check_member *m, char words[WORDS])
{
    dataset_text_fault fault;
    const char *bad = bad_bytes(m);
    if (bad) return say(words, bad), true;
    json_t *o = dataset_text_object(m->bytes, (size_t)m->about.size, &fault);
    if (!o && !fault.memory) snprintf(words, WORDS, "is no JSON that can be used: %s", fault.why);
    if (!o) return !fault.memory;
    bad = bad_field(o);
    if (bad) say(words, bad);
    json_decref(o);
    return true;
}

static void read_file(check_member *m)
{
    error err = { 0 };
    size_t size = 0;
    m->bytes = file_read(m->path, &size, &err);
    m->about.size = (int64_t)size;
    if (err.code == ERROR_MEMORY) m->memory = true;
    if (!m->bytes && !m->memory) m->problem = check_member_keep(m, err.message);
}

static void judge(void *context, void *item)
{
    check_member *m = item;
    char words[WORDS] = "";
    (void)context;
    if (m->path && !m->problem) read_file(m);
    if (m->problem || m->memory) return;
    bool ok = m->about.kind == MEMBER_PICTURE   ? judge_picture(m, words)
              : m->about.kind == MEMBER_CAPTION ? judge_caption(m, words)
                                                : judge_description(m, words);
    if (!ok) m->memory = true;
    if (ok && *words) m->problem = check_member_keep(m, words);
}

/* ---- All members ---- */

/* FNV-1a of source and key up to the first dot of its last part: what belongs to one picture. */
static uint64_t stem_of(const check_member *m)
{
    uint64_t h = 14695981039346656037u;
    for (const char *c = m->source; *c; ++c) h = (h ^ (unsigned char)*c) * 1099511628211u;
    for (size_t i = 0; i < m->about.stem_length; ++i) h = (h ^ (unsigned char)m->name[i]) * 1099511628211u;
    return h | 1;
}

/* Room for one more of `size` bytes. */
static void *widen(void *list, int64_t count, int64_t *room, size_t size, error *err)
{
    if (count < *room) return list;
    int64_t more = *room ? 2 * *room : 256;
    void *larger = realloc(list, (size_t)more * size);
    if (!larger) return no_memory(err), NULL;
    *room = more;
    return larger;
}

/* "is cut short: 12 of 40 bytes are there" is "is cut short: N of N bytes are there"; what is a name, such as
 * UTF-8, stays. */
static char *reason_of(arena *memory, const char *problem)
{
    size_t length = strcspn(problem, ";\n");
    char *reason = arena_strdup(memory, problem), *to = reason, before = ' ';
    if (!reason) return NULL;
    reason[length] = 0;
    for (const char *from = reason; *from;) {
        size_t digits = strspn(from, "0123456789");
        if (digits && strchr(" (", before) && !isalpha((unsigned char)from[digits])) {
            *to++ = 'N';
            from += digits;
            before = 'N';
        } else {
            before = *from;
            *to++ = *from++;
        }
    }
    *to = 0;
    return reason;
}

static bool add(checker *c, const char *source, const char *name, const char *kind, const char *problem,
                uint64_t stem, error *err)
{
    arena *memory = c->report->memory;
    size_t length = strlen(source);
    if (strncmp(problem, source, length) == 0 && strncmp(problem + length, ": ", 2) == 0)
        problem += length + 2;
    pending *found = widen(c->found, c->found_count, &c->found_room, sizeof *found, err);
    if (!found) return false;
    c->found = found;
    check_finding f = { arena_strdup(memory, source), arena_strdup(memory, name), kind,
                        reason_of(memory, problem), arena_strdup(memory, problem) };
    if (!f.source || !f.member || !f.reason || !f.problem) return no_memory(err);
    c->found[c->found_count++] = (pending){ f, stem };
    return true;
}

static bool next_member(void *context, int64_t index, void *item)
{
    checker *c = context;
    (void)index;
    return check_source_next(c->source, item);
}

static void drop_member(void *context, void *item)
{
    (void)context;
    check_member_free(item);
}

static bool take_member(void *context, int64_t index, void *item, error *err)
{
    static const char *const kinds[] = { "picture", "caption", "description" };
    checker *c = context;
    check_member *m = item;
    if (m->memory) return error_set(err, ERROR_MEMORY, "out of memory for a member of '%s'", m->source);
    bool whole = !m->name, picture = !whole && m->about.kind == MEMBER_PICTURE;
    uint64_t stem = whole ? 0 : stem_of(m);
    c->members = index + 1;
    c->report->bytes += m->about.size;
    if (!whole)
        ++*(picture                           ? &c->report->pictures
            : m->about.kind == MEMBER_CAPTION ? &c->report->captions
                                              : &c->report->descriptions);
    if (picture) {
        uint64_t *pictures = widen(c->pictures, c->picture_count, &c->picture_room, sizeof *pictures, err);
        if (!pictures) return false;
        c->pictures = pictures;
        pictures[c->picture_count++] = stem;
    }
    return !m->problem || add(c, m->source, whole ? "" : m->name, whole ? "archive" : kinds[m->about.kind],
                              m->problem, picture ? 0 : stem, err);
}

static void tell(void *context, int64_t taken)
{
    const checker *c = context;
    int64_t done, all;
    check_source_progress(c->source, &done, &all);
    c->o->tell(c->o->context, done, all, taken, c->found_count);
}

static bool walk(checker *c, error *err)
{
    const sweep s = { .threads = c->o->threads,
                      .item_bytes = sizeof(check_member),
                      .context = c,
                      .next = next_member,
                      .work = judge,
                      .take = take_member,
                      .drop = drop_member,
                      .tell = c->o->tell ? tell : NULL,
                      .interrupted = c->o->interrupted };
    return sweep_run(&s, err);
}

/* ---- Sets that are not walked through ---- */

typedef struct opened {
    checker *c;
    const dataset *set;
    const char *path;
} opened;

typedef struct decoded {
    int64_t index;
    check_member picture;
} decoded;

static bool next_sample(void *context, int64_t index, void *item)
{
    const opened *o = context;
    ((decoded *)item)->index = index;
    return index < dataset_count(o->set);
}

static void decode(void *context, void *item)
{
    const opened *o = context;
    decoded *d = item;
    check_member *m = &d->picture;
    error err = { 0 };
    void *bytes = NULL;
    size_t size = 0;
    m->about.kind = MEMBER_PICTURE;
    if (!dataset_read_bytes(o->set, d->index, &bytes, &size, &err)) {
        m->memory = err.code == ERROR_MEMORY;
        m->problem = check_member_keep(m, err.message);
    }
    m->bytes = bytes;
    m->about.size = (int64_t)size;
    judge(context, m);
}

static void drop_sample(void *context, void *item)
{
    (void)context;
    check_member_free(&((decoded *)item)->picture);
}

static bool take_sample(void *context, int64_t index, void *item, error *err)
{
    const opened *o = context;
    const check_member *m = &((decoded *)item)->picture;
    dataset_sample s;
    (void)index;
    ++o->c->report->pictures;
    ++o->c->members;
    o->c->report->bytes += m->about.size;
    if (m->memory) return no_memory(err);
    if (!m->problem) return true;
    bool ok = dataset_read(o->set, ((decoded *)item)->index, &s, err);
    if (!ok) return false;
    ok = add(o->c, o->path, s.key, "picture", m->problem, 0, err);
    dataset_sample_free(&s);
    return ok;
}

static bool decode_all(checker *c, const dataset *set, const char *path, error *err)
{
    opened o = { c, set, path };
    const sweep s = { .threads = c->o->threads,
                      .item_bytes = sizeof(decoded),
                      .context = &o,
                      .next = next_sample,
                      .work = decode,
                      .take = take_sample,
                      .drop = drop_sample,
                      .interrupted = c->o->interrupted };
    return sweep_run(&s, err);
}

/* Opening may say it as a folder's trouble. */
static bool is_memory(const error *err)
{
    return err->code == ERROR_MEMORY || strstr(err->message, strerror(ENOMEM));
}

/* What such a set names and does not hold, as a picture that is not there.  A text of no picture is
 * nobody's. */
static bool add_left_out(checker *c, const dataset *set, const char *path, error *err)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < dataset_left_out(set); ++i) {
        const char *line = dataset_left_out_at(set, i), *why = strstr(line, ": ");
        if (!why || strcmp(why + 2, SOURCE_NOBODYS) == 0) continue;
        char *name = strndup(line, (size_t)(why - line));
        ok = name ? add(c, path, name, "left out", why + 2, 0, err) : no_memory(err);
        free(name);
    }
    return ok;
}

static void count_samples(checker *c, const dataset *set)
{
    c->report->samples = dataset_count(set);
    c->report->left_out = dataset_left_out_total(set);
    c->report->uncaptioned = dataset_uncaptioned(set);
}

/* `whole`: there is no other source. */
static bool open_other(checker *c, const char *path, bool whole, error *err)
{
    error why = { 0 };
    dataset *set = dataset_open(&path, 1, false, &why);
    if (!set) return is_memory(&why) ? (*err = why), false : add(c, path, "", "set", why.message, 0, err);
    bool ok = decode_all(c, set, path, err) && add_left_out(c, set, path, err);
    if (whole) count_samples(c, set);
    dataset_close(set);
    return ok;
}

/* What training would find: samples, and files that are in none.  That it cannot be opened is news only where
 * no member says why. */
static bool open_whole(checker *c, const char *const *paths, int count, error *err)
{
    error why = { 0 };
    dataset *set = dataset_open(paths, count, false, &why);
    if (!set && is_memory(&why)) return (*err = why), false;
    if (!set) return c->found_count > 0 || add(c, paths[0], "", "set", why.message, 0, err);
    count_samples(c, set);
    dataset_close(set);
    return true;
}

/* ---- All ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t l = *(const uint64_t *)a, r = *(const uint64_t *)b;
    return (l > r) - (l < r);
}

/* Keeps what belongs to pictures. */
static bool settle(checker *c, error *err)
{
    if (c->picture_count) qsort(c->pictures, (size_t)c->picture_count, sizeof *c->pictures, by_value);
    c->report->findings = calloc((size_t)c->found_count + 1, sizeof *c->report->findings);
    if (!c->report->findings) return no_memory(err);
    for (int64_t i = 0; i < c->found_count; ++i) {
        const pending *p = &c->found[i];
        if (!p->stem || (c->picture_count && bsearch(&p->stem, c->pictures, (size_t)c->picture_count,
                                                     sizeof *c->pictures, by_value)))
            c->report->findings[c->report->count++] = p->finding;
    }
    return true;
}

bool check_run(const char *const *paths, int count, const check_options *o, check_report *out, error *err)
{
    *out = (check_report){ .memory = arena_create() };
    checker c = { .o = o, .report = out };
    bool ok = out->memory ? true : no_memory(err);
    ok = ok && (c.source = check_source_open(paths, count, err)) && walk(&c, err);
    for (int i = 0; ok && i < count; ++i)
        if (!check_source_walks(c.source, i)) ok = open_other(&c, paths[i], count == 1, err);
    if (count > 1 || (c.source && check_source_walks(c.source, 0)))
        ok = ok && open_whole(&c, paths, count, err);
    bool settled = !out->memory || settle(&c, ok ? err : NULL);
    check_source_close(c.source);
    free(c.found);
    free(c.pictures);
    return ok && settled;
}

void check_report_free(check_report *r)
{
    free(r->findings);
    arena_destroy(r->memory);
    *r = (check_report){ 0 };
}

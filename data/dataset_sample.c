/* dataset_sample.c -- captions and details of one picture.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_sample.h"
#include "host/base/json_tree.h"
#include "host/base/utf8.h"
#include <string.h>

#define SPACES " \t\r\n"

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory for the data set");
}

dataset_sample sample_blank(const char *key)
{
    return (dataset_sample){ .key = key, .caption = "", .split = "", .group = "", .repeat = 1 };
}

/* Makes room for `more` captions behind those there are; the first of them keeps its place. */
static const char **widen(const sample_reader *r, dataset_sample *s, size_t more)
{
    size_t have = (size_t)s->caption_count;
    const char **wider = arena_alloc(r->memory, (have + more + 1) * sizeof *wider);
    if (!wider) return no_memory(r->err), NULL;
    for (size_t i = 0; i < have; ++i) wider[i] = s->captions[i];
    s->captions = wider;
    return wider;
}

/* Appends `size` bytes of text without the spaces around them, unless nothing is left. */
static bool add_caption(const sample_reader *r, dataset_sample *s, const char **captions, const char *text,
                        size_t size)
{
    while (size && strchr(SPACES, text[size - 1])) --size;
    while (size && strchr(SPACES, *text)) ++text, --size;
    if (size == 0) return true;
    if (size > DATASET_MAX_CAPTION)
        return error_set(r->err, ERROR_FORMAT,
                         "%s: the caption of '%s' has %zu bytes; at most %d are allowed", r->path, s->key,
                         size, DATASET_MAX_CAPTION);
    char *copy = arena_alloc(r->memory, size + 1);
    if (!copy) return no_memory(r->err);
    memcpy(copy, text, size);
    captions[s->caption_count++] = copy;
    s->caption = captions[0];
    return true;
}

/* What editors of other systems write: a mark before UTF-8 is no part of the text, UTF-16 is named. */
static bool check_encoding(const sample_reader *r, const member *m, const char **text)
{
    if (strncmp(*text, "\xef\xbb\xbf", 3) == 0) *text += 3;
    int64_t bad = utf8_check(*text);
    if (bad < 0) return true;
    bool wide = strncmp(*text, "\xff\xfe", 2) == 0 || strncmp(*text, "\xfe\xff", 2) == 0;
    return error_set(r->err, ERROR_FORMAT,
                     "%s: the caption of '%s' is not UTF-8 at byte %lld; it may be %s: convert it with iconv",
                     r->path, m->key, (long long)bad, wide ? "UTF-16" : "Latin-1");
}

bool sample_take_captions(const sample_reader *r, const member *m, dataset_sample *s)
{
    const char *text = m->text;
    s->captioned = true;
    if (!text)
        return error_set(r->err, ERROR_FORMAT,
                         "%s: the captions of '%s' have %lld bytes; at most %d are read", r->path, m->key,
                         (long long)m->size, SOURCE_MAX_CAPTIONS);
    if (!check_encoding(r, m, &text)) return false;
    size_t lines = 1;
    for (const char *c = text; *c; ++c) lines += *c == '\n' || *c == '\r';
    const char **captions = widen(r, s, lines);
    while (captions && *text) {
        size_t length = strcspn(text, "\r\n");
        if (!add_caption(r, s, captions, text, length)) return false;
        text += length + (text[length] != 0);
    }
    return captions != NULL;
}

static bool take_keywords(const sample_reader *r, const json_t *list, dataset_sample *s)
{
    size_t count = json_array_size(list);
    const char **words = arena_alloc(r->memory, (count + 1) * sizeof *words);
    if (!words) return no_memory(r->err);
    for (size_t i = 0; i < count; ++i) {
        const char *word = json_string_value(json_array_get(list, i));
        if (!word || !*word) continue;
        words[s->keyword_count] = arena_strdup(r->memory, word);
        if (!words[s->keyword_count++]) return no_memory(r->err);
    }
    s->keywords = words;
    return true;
}

static bool take_list(const sample_reader *r, const json_t *list, dataset_sample *s)
{
    if (!list || json_is_null(list)) return true;
    size_t count = json_array_size(list);
    bool texts = json_is_array(list);
    for (size_t i = 0; i < count; ++i) texts = texts && json_is_string(json_array_get(list, i));
    if (!texts)
        return error_set(r->err, ERROR_FORMAT, "%s: '%s.json': \"captions\" is not a list of texts", r->path,
                         s->key);
    const char **captions = widen(r, s, count);
    if (!captions) return false;
    for (size_t i = 0; i < count; ++i) {
        const json_t *text = json_array_get(list, i);
        if (!add_caption(r, s, captions, json_string_value(text), json_string_length(text))) return false;
    }
    return true;
}

static bool take_repeat(const sample_reader *r, const json_t *number, dataset_sample *s)
{
    if (!number || json_is_null(number)) return true;
    json_int_t times = json_integer_value(number);
    if (times < 1 || times > DATASET_MAX_REPEAT)
        return error_set(r->err, ERROR_FORMAT, "%s: '%s.json': \"repeat\" is not a whole number from 1 to %d",
                         r->path, s->key, DATASET_MAX_REPEAT);
    s->repeat = (int)times;
    return true;
}

bool sample_take_details(const sample_reader *r, const member *m, dataset_sample *s)
{
    if (!m->text)
        return error_set(r->err, ERROR_FORMAT, "%s: '%s.json' has %lld bytes; at most %d are read", r->path,
                         m->key, (long long)m->size, SOURCE_MAX_DETAILS);
    json_tree_problem problem;
    json_t *json = json_tree_read(m->text, strlen(m->text), true, &problem);
    if (!json && problem.memory) return no_memory(r->err);
    if (!json)
        return error_set(r->err, ERROR_FORMAT, "%s: '%s.json', line %d: %s", r->path, m->key, problem.line,
                         problem.text);
    const char *split = json_string_value(json_object_get(json, "split"));
    const char *group = json_string_value(json_object_get(json, "group"));
    s->split = split ? arena_strdup(r->memory, split) : "";
    s->group = group ? arena_strdup(r->memory, group) : "";
    bool done = (s->split && s->group) || no_memory(r->err);
    done = done && take_keywords(r, json_object_get(json, "keywords"), s) &&
           take_list(r, json_object_get(json, "captions"), s) &&
           take_repeat(r, json_object_get(json, "repeat"), s);
    json_decref(json);
    return done;
}

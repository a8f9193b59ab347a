/* dataset_sample.c -- captions and details of one picture.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_sample.h"
#include "data/dataset_text.h"
#include <stdio.h>
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

static bool note(const sample_reader *r, const member *m, const char *why)
{
    return !r->notes || source_leave_out(r->notes, m->source, m->name, why, r->err);
}

/* What a text is good for: its fault is the member's. */
static bool note_fault(const sample_reader *r, const member *m, const dataset_text_fault *fault)
{
    return fault->memory ? no_memory(r->err) : note(r, m, fault->why);
}

static bool note_size(const sample_reader *r, const member *m, size_t size, int most, const char *what)
{
    char why[120];
    snprintf(why, sizeof why, "%s has %zu bytes; at most %d are allowed", what, size, most);
    return note(r, m, why);
}

/* Appends `size` bytes of text without the spaces around them, unless nothing is left. */
static bool add_caption(const sample_reader *r, const member *m, dataset_sample *s, const char **captions,
                        const char *text, size_t size)
{
    while (size && strchr(SPACES, text[size - 1])) --size;
    while (size && strchr(SPACES, *text)) ++text, --size;
    if (size == 0) return true;
    if (size > DATASET_MAX_CAPTION) return note_size(r, m, size, DATASET_MAX_CAPTION, "its caption");
    char *copy = arena_alloc(r->memory, size + 1);
    if (!copy) return no_memory(r->err);
    memcpy(copy, text, size);
    captions[s->caption_count++] = copy;
    s->caption = captions[0];
    return true;
}

bool sample_take_captions(const sample_reader *r, const member *m, dataset_sample *s)
{
    s->captioned = true;
    if (!m->text) return note_size(r, m, (size_t)m->size, SOURCE_MAX_CAPTIONS, "its text");
    dataset_text_fault fault;
    const char *text = dataset_text_utf8(r->memory, m->text, (size_t)m->size, &fault);
    if (!text) return note_fault(r, m, &fault);
    size_t lines = 1;
    for (const char *c = text; *c; ++c) lines += *c == '\n' || *c == '\r';
    const char **captions = widen(r, s, lines);
    while (captions && *text) {
        size_t length = strcspn(text, "\r\n");
        if (!add_caption(r, m, s, captions, text, length)) return false;
        text += length + (text[length] != 0);
    }
    return captions != NULL;
}

/* ---- Details ------------------------------------------------------------------------------------ */

static bool is_given(const json_t *value)
{
    return value && !json_is_null(value);
}

/* "" where it is not given, or not a text. */
static bool take_text(const sample_reader *r, const member *m, const json_t *json, const char *key,
                      const char **to)
{
    const json_t *value = json_object_get(json, key);
    const char *text = json_string_value(value);
    char why[64];
    snprintf(why, sizeof why, "\"%s\" is not a text", key);
    if (!text) return !is_given(value) || note(r, m, why);
    *to = arena_strdup(r->memory, text);
    return *to || no_memory(r->err);
}

static bool take_keywords(const sample_reader *r, const member *m, const json_t *list, dataset_sample *s)
{
    if (is_given(list) && !json_is_array(list)) return note(r, m, "\"keywords\" is not a list of texts");
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

static bool take_list(const sample_reader *r, const member *m, const json_t *list, dataset_sample *s)
{
    if (!is_given(list)) return true;
    size_t count = json_array_size(list);
    bool texts = json_is_array(list);
    for (size_t i = 0; i < count; ++i) texts = texts && json_is_string(json_array_get(list, i));
    if (!texts) return note(r, m, "\"captions\" is not a list of texts");
    const char **captions = widen(r, s, count);
    if (!captions) return false;
    for (size_t i = 0; i < count; ++i) {
        const json_t *text = json_array_get(list, i);
        if (!add_caption(r, m, s, captions, json_string_value(text), json_string_length(text))) return false;
    }
    return true;
}

static bool take_caption(const sample_reader *r, const member *m, const json_t *json, dataset_sample *s)
{
    const char *text = "";
    if (s->caption_count > 0) return true;
    if (!take_text(r, m, json, "caption", &text)) return false;
    const char **captions = widen(r, s, 1);
    return captions && add_caption(r, m, s, captions, text, strlen(text));
}

static bool take_repeat(const sample_reader *r, const member *m, const json_t *number, dataset_sample *s)
{
    if (!is_given(number)) return true;
    json_int_t times = json_integer_value(number);
    char why[64];
    snprintf(why, sizeof why, "\"repeat\" is not a whole number from 1 to %d", DATASET_MAX_REPEAT);
    if (times < 1 || times > DATASET_MAX_REPEAT) return note(r, m, why);
    s->repeat = (int)times;
    return true;
}

bool sample_take_details(const sample_reader *r, const member *m, dataset_sample *s)
{
    if (!m->text) return note_size(r, m, (size_t)m->size, SOURCE_MAX_DETAILS, "it");
    dataset_text_fault fault;
    json_t *json = dataset_text_object(m->text, (size_t)m->size, &fault);
    if (!json) return note_fault(r, m, &fault);
    bool done = take_text(r, m, json, "split", &s->split) && take_text(r, m, json, "group", &s->group) &&
                take_keywords(r, m, json_object_get(json, "keywords"), s) &&
                take_list(r, m, json_object_get(json, "captions"), s) && take_caption(r, m, json, s) &&
                take_repeat(r, m, json_object_get(json, "repeat"), s);
    json_decref(json);
    return done;
}

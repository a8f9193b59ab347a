/* shard_text.c -- see shard_text.h.
 * SPDX-License-Identifier: MIT */
#include "data/shard_text.h"
#include "host/base/json_tree.h"
#include <stdlib.h>
#include <string.h>

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "out of memory for a sample's texts");
}

/* How many captions can be lines of KEY.txt: those before the first that has lines itself. */
static int count_lines(const shard_sample *s)
{
    int lines = 0;
    while (lines < s->caption_count && !strpbrk(s->captions[lines], "\r\n")) ++lines;
    return lines;
}

static char *join_lines(const shard_sample *s, int lines)
{
    size_t size = 1;
    for (int i = 0; i < lines; ++i) size += strlen(s->captions[i]) + 1;
    char *text = malloc(size), *to = text;
    for (int i = 0; text && i < lines; ++i) {
        size_t length = strlen(s->captions[i]);
        memcpy(to, s->captions[i], length);
        to += length;
        if (i + 1 < lines) *to++ = '\n';
    }
    if (text) *to = 0;
    return text;
}

static json_t *list_rest(const shard_sample *s, int lines)
{
    json_t *list = json_array();
    for (int i = lines; i < s->caption_count; ++i) json_tree_add(&list, json_tree_string(s->captions[i]));
    return list;
}

/* *details stays NULL where none is needed. */
static bool make_details(const shard_sample *s, int lines, char **details, error *err)
{
    json_tree_problem problem = { .memory = false };
    json_t *o = s->details ? json_tree_read(s->details, strlen(s->details), true, &problem) : NULL;
    if (problem.memory) return no_memory(err);
    bool rest = lines < s->caption_count, readable = json_is_object(o);
    bool had = readable && json_object_get(o, "captions");
    if (!rest && (!readable || !had)) { /* nothing in it changes */
        json_decref(o);
        return !s->details || (*details = strdup(s->details)) || no_memory(err);
    }
    if (!readable) {
        json_decref(o);
        o = json_object();
    }
    json_object_del(o, "captions");
    if (rest) json_tree_put(&o, "captions", list_rest(s, lines));
    *details = json_tree_text(o, JSON_COMPACT | JSON_PRESERVE_ORDER, "a sample's description", err);
    return *details != NULL;
}

bool shard_text_make(const shard_sample *s, shard_text *out, error *err)
{
    int lines = count_lines(s);
    *out = (shard_text){ .caption = NULL };
    if (lines && !(out->caption = join_lines(s, lines))) return no_memory(err);
    if (make_details(s, lines, &out->details, err)) return true;
    shard_text_free(out);
    return false;
}

void shard_text_free(shard_text *t)
{
    free(t->caption);
    free(t->details);
    *t = (shard_text){ .caption = NULL };
}

/* dataset_copy.c -- see dataset_copy.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_copy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies a text with its NUL behind the others. */
static const char *put(char **end, const char *text)
{
    char *at = *end;
    *end = stpcpy(at, text) + 1;
    return at;
}

static size_t bytes_of(const char *const *texts, int count)
{
    size_t bytes = (size_t)count * sizeof *texts;
    for (int i = 0; i < count; ++i) bytes += strlen(texts[i]) + 1;
    return bytes;
}

static const char *const *put_all(const char **places, char **end, const char *const *texts, int count)
{
    for (int i = 0; i < count; ++i) places[i] = put(end, texts[i]);
    return count ? places : NULL;
}

bool sample_copy(const dataset_sample *from, dataset_sample *to, error *err)
{
    int captions = from->caption_count, keywords = from->keyword_count;
    size_t bytes = bytes_of(from->captions, captions) + bytes_of(from->keywords, keywords) +
                   strlen(from->key) + strlen(from->split) + strlen(from->group) + 4;
    const char **places = malloc(bytes);
    *to = *from;
    to->memory = places;
    if (!places) return error_set(err, ERROR_MEMORY, "no memory for a sample of the data set");
    char *end = (char *)(places + captions + keywords);
    to->captions = put_all(places, &end, from->captions, captions);
    to->keywords = put_all(places + captions, &end, from->keywords, keywords);
    to->key = put(&end, from->key);
    to->split = put(&end, from->split);
    to->group = put(&end, from->group);
    to->caption = captions ? to->captions[0] : put(&end, "");
    return true;
}

void dataset_sample_free(dataset_sample *s)
{
    free(s->memory);
    *s = (dataset_sample){ 0 };
}

/* Nothing for a sample that has one caption and comes once, so that a set without either keeps its hash. */
static void hash_extras(hash *h, const dataset_sample *s)
{
    for (int i = 1; i < s->caption_count; ++i) {
        hash_text(h, "caption");
        hash_text(h, s->captions[i]);
    }
    if (s->repeat == 1) return;
    char times[32];
    snprintf(times, sizeof times, "repeat %d", s->repeat);
    hash_text(h, times);
}

void sample_hash(hash *h, const dataset_sample *s, int64_t picture_bytes)
{
    char size[32];
    snprintf(size, sizeof size, "%lld", (long long)picture_bytes);
    hash_text(h, s->key);
    hash_text(h, s->caption);
    hash_text(h, size);
    hash_extras(h, s);
}

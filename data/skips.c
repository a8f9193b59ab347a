/* skips.c -- see skips.h.
 * SPDX-License-Identifier: MIT */
#include "data/skips.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "host/base/utf8.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FEW    10 /* of a small set; also how many are said one by one */
#define LISTED 5  /* in an error */

typedef struct skip {
    int64_t sample;
    char *key, *reason; /* of one line each, as the report has them */
} skip;

struct skips {
    const dataset *data;
    pthread_mutex_t lock;
    skip *noted; /* as they came */
    int64_t count, room, most;
    int64_t *slots; /* [2 * room]: 1 + which is there, by sample; 0: none */
};

int64_t skips_most(int64_t count, double share)
{
    int64_t most = (int64_t)(share * (double)count), few = count / 2 < FEW ? count / 2 : FEW;
    return share > 0 && most < few ? few : most;
}

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory to note pictures that cannot be read");
}

/* Where the sample is, or would be. */
static int64_t *slot_of(const skips *s, int64_t sample)
{
    uint64_t mask = (uint64_t)(2 * s->room - 1), at = (uint64_t)sample * 0x9e3779b97f4a7c15u >> 20 & mask;
    while (s->slots[at] && s->noted[s->slots[at] - 1].sample != sample) at = (at + 1) & mask;
    return &s->slots[at];
}

/* `room` is a power of two. */
static bool grow(skips *s, int64_t room, error *err)
{
    skip *larger = realloc(s->noted, (size_t)room * sizeof *larger);
    if (!larger) return no_memory(err);
    s->noted = larger;
    int64_t *slots = calloc((size_t)room * 2, sizeof *slots);
    if (!slots) return no_memory(err);
    free(s->slots);
    s->slots = slots;
    s->room = room;
    for (int64_t i = 0; i < s->count; ++i) *slot_of(s, s->noted[i].sample) = i + 1;
    return true;
}

skips *skips_create(const dataset *d, int64_t most, error *err)
{
    skips *s = calloc(1, sizeof *s);
    if (!s || !grow(s, 64, err) || pthread_mutex_init(&s->lock, NULL)) {
        if (s) free(s->noted), free(s->slots);
        free(s);
        return no_memory(err), NULL;
    }
    s->data = d;
    s->most = most;
    return s;
}

void skips_destroy(skips *s)
{
    if (!s) return;
    for (int64_t i = 0; i < s->count; ++i) free(s->noted[i].key), free(s->noted[i].reason);
    free(s->noted);
    free(s->slots);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int by_sample(const void *left, const void *right)
{
    const skip *a = left, *b = right;
    return (a->sample > b->sample) - (a->sample < b->sample);
}

/* In the order of the set, to be freed; NULL when memory is out. */
static skip *sorted(const skips *s)
{
    skip *list = malloc((size_t)(s->count + 1) * sizeof *list);
    if (!list) return NULL;
    memcpy(list, s->noted, (size_t)s->count * sizeof *list);
    qsort(list, (size_t)s->count, sizeof *list, by_sample);
    return list;
}

/* The first of too many with its reason, and a few others by key. */
static bool too_many(const skips *s, error *err)
{
    char text[512] = "";
    skip *list = sorted(s);
    int64_t listed = 0;
    for (; list && listed < s->count && listed < LISTED; ++listed) {
        size_t length = strlen(text);
        const char *before = listed == 0 ? "" : listed == 1 ? "; others: " : ", ";
        snprintf(text + length, sizeof text - length, "%s%.*s", before, listed == 0 ? 240 : 60,
                 listed == 0 ? list[0].reason : list[listed].key);
    }
    free(list);
    return error_set(
        err, ERROR_FORMAT,
        "%lld of %lld pictures cannot be read so far, and skip_share allows %lld: %s%s; 'dalle-cl "
        "data info' lists all",
        (long long)s->count, (long long)dataset_count(s->data), (long long)s->most, text,
        s->count > listed ? ", ..." : "");
}

static char *key_of(const skips *s, int64_t sample)
{
    dataset_sample read;
    bool known = dataset_read(s->data, sample, &read, NULL);
    char *key = strdup(known ? read.key : "?");
    dataset_sample_free(&read);
    return key;
}

static bool note(skips *s, int64_t sample, const char *why, error *err)
{
    if (s->count > s->most) return too_many(s, err);
    if (*slot_of(s, sample)) return true; /* another thread was first */
    if (s->count == s->room && !grow(s, 2 * s->room, err)) return false;
    skip noted = { sample, key_of(s, sample), strdup(why) };
    if (!noted.key || !noted.reason) {
        free(noted.key);
        free(noted.reason);
        return no_memory(err);
    }
    utf8_plain_line(noted.key);
    utf8_plain_line(noted.reason);
    s->noted[s->count] = noted;
    *slot_of(s, sample) = ++s->count;
    if (s->count > s->most) return too_many(s, err);
    if (s->count <= FEW) log_warn("skipped: %s", why);
    if (s->count == FEW) log_warn("further pictures that cannot be read are skipped without a line here");
    return true;
}

bool skips_add(skips *s, int64_t sample, const error *why, error *err)
{
    const error kept = *why; /* may be *err itself */
    if (kept.code != ERROR_FORMAT || s->most == 0) {
        if (err) *err = kept;
        return false;
    }
    pthread_mutex_lock(&s->lock);
    bool done = note(s, sample, kept.message, err);
    pthread_mutex_unlock(&s->lock);
    return done;
}

bool skips_has(skips *s, int64_t sample)
{
    pthread_mutex_lock(&s->lock);
    bool has = *slot_of(s, sample) != 0;
    pthread_mutex_unlock(&s->lock);
    return has;
}

int64_t skips_count(skips *s)
{
    pthread_mutex_lock(&s->lock);
    int64_t count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

static int by_key(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Whether the line's key is one of those noted now, which have a line already. */
static bool is_noted(char *const *keys, int64_t count, const char *line, size_t length)
{
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        int order = strncmp(keys[middle], line, length);
        if (order == 0 && keys[middle][length]) order = 1;
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void print_others(char *const *keys, int64_t count, FILE *to, const char *lines)
{
    for (const char *line = lines; line && *line;) {
        size_t length = strcspn(line, "\n"), key = strcspn(line, "\t");
        if (length && !is_noted(keys, count, line, key)) fprintf(to, "%.*s\n", (int)length, line);
        line += length + (line[length] != 0);
    }
}

/* With the lines from before, but for those of pictures noted again. */
static bool print_all(const skips *s, FILE *to, const char *before, error *err)
{
    skip *list = sorted(s);
    char **keys = malloc((size_t)(s->count + 1) * sizeof *keys);
    bool done = list && keys ? true : no_memory(err);
    for (int64_t i = 0; done && i < s->count; ++i) {
        fprintf(to, "%s\t%s\n", list[i].key, list[i].reason);
        keys[i] = list[i].key;
    }
    if (done) {
        qsort(keys, (size_t)s->count, sizeof *keys, by_key);
        print_others(keys, s->count, to, before);
    }
    free(list);
    free(keys);
    return done;
}

bool skips_write(skips *s, const char *path, bool keep, error *err)
{
    file_atomic file;
    char *before = NULL;
    if (keep && file_exists(path) && !(before = file_read(path, NULL, err))) return false;
    bool done = file_atomic_open(&file, path, err);
    if (done) {
        pthread_mutex_lock(&s->lock);
        done = print_all(s, file.stream, before, err);
        pthread_mutex_unlock(&s->lock);
        if (done)
            done = file_atomic_commit(&file, err);
        else
            file_atomic_abandon(&file);
    }
    free(before);
    return done;
}

/* skips.c -- see skips.h.
 * SPDX-License-Identifier: MIT */
#include "data/skips.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FEW    10 /* of a small set; also how many are said one by one */
#define LISTED 5  /* in an error */

struct skips {
    const dataset *data;
    pthread_mutex_t lock;
    char **reasons; /* by sample; NULL for pictures not known to be broken */
    int64_t count, most;
};

int64_t skips_most(int64_t count, double share)
{
    int64_t most = (int64_t)(share * (double)count), few = count / 2 < FEW ? count / 2 : FEW;
    return share > 0 && most < few ? few : most;
}

skips *skips_create(const dataset *d, int64_t most, error *err)
{
    skips *s = calloc(1, sizeof *s);
    if (s) s->reasons = calloc((size_t)dataset_count(d) + 1, sizeof *s->reasons);
    if (!s || !s->reasons || pthread_mutex_init(&s->lock, NULL)) {
        if (s) free(s->reasons);
        free(s);
        return error_null(err, ERROR_MEMORY, "no memory to note pictures that cannot be read");
    }
    s->data = d;
    s->most = most;
    return s;
}

void skips_destroy(skips *s)
{
    if (!s) return;
    for (int64_t i = 0; i < dataset_count(s->data); ++i) free(s->reasons[i]);
    free(s->reasons);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* The first of too many with its reason, and a few others by key. */
static bool too_many(const skips *s, error *err)
{
    char list[512] = "";
    int64_t listed = 0;
    for (int64_t i = 0; i < dataset_count(s->data) && listed < LISTED; ++i) {
        if (!s->reasons[i]) continue;
        size_t length = strlen(list);
        const char *before = listed == 0 ? "" : listed == 1 ? "; others: " : ", ";
        const char *text = listed == 0 ? s->reasons[i] : dataset_at(s->data, i)->key;
        snprintf(list + length, sizeof list - length, "%s%.*s", before, listed == 0 ? 240 : 60, text);
        ++listed;
    }
    return error_set(
        err, ERROR_FORMAT,
        "%lld of %lld pictures cannot be read so far, and skip_share allows %lld: %s%s; 'dalle-cl "
        "data info' lists all",
        (long long)s->count, (long long)dataset_count(s->data), (long long)s->most, list,
        s->count > listed ? ", ..." : "");
}

static bool note(skips *s, int64_t sample, const char *why, error *err)
{
    if (s->count > s->most) return too_many(s, err);
    if (s->reasons[sample]) return true; /* another thread was first */
    if (!(s->reasons[sample] = strdup(why)))
        return error_set(err, ERROR_MEMORY, "no memory to note pictures that cannot be read");
    if (++s->count > s->most) return too_many(s, err);
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
    bool has = s->reasons[sample] != NULL;
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

/* One line whatever key and reason hold. */
static void print_line(FILE *to, const char *key, const char *reason)
{
    for (const char *c = key; *c; ++c) fputc((unsigned char)*c < ' ' ? ' ' : *c, to);
    fputc('\t', to);
    for (const char *c = reason; *c; ++c) fputc((unsigned char)*c < ' ' ? ' ' : *c, to);
    fputc('\n', to);
}

/* Whether the line's key is that of a picture noted now, which has a line already. */
static bool is_noted(const skips *s, const char *line, size_t length)
{
    for (int64_t i = 0; i < dataset_count(s->data); ++i) {
        const char *key = dataset_at(s->data, i)->key;
        if (s->reasons[i] && strlen(key) == length && strncmp(key, line, length) == 0) return true;
    }
    return false;
}

static void print_others(const skips *s, FILE *to, const char *lines)
{
    for (const char *line = lines; line && *line;) {
        size_t length = strcspn(line, "\n"), key = strcspn(line, "\t");
        if (length && !is_noted(s, line, key)) fprintf(to, "%.*s\n", (int)length, line);
        line += length + (line[length] != 0);
    }
}

bool skips_write(skips *s, const char *path, bool keep, error *err)
{
    file_atomic file;
    char *before = NULL;
    if (keep && file_exists(path) && !(before = file_read(path, NULL, err))) return false;
    bool done = file_atomic_open(&file, path, err);
    if (done) {
        pthread_mutex_lock(&s->lock);
        for (int64_t i = 0; i < dataset_count(s->data); ++i)
            if (s->reasons[i]) print_line(file.stream, dataset_at(s->data, i)->key, s->reasons[i]);
        print_others(s, file.stream, before);
        pthread_mutex_unlock(&s->lock);
        done = file_atomic_commit(&file, err);
    }
    free(before);
    return done;
}

/* dataset_index_write.c -- writes an index tar by tar, holding only what is not of single samples.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_index_file.h"
#include "host/base/file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct index_writer {
    file_atomic file;
    index_header header;
    index_shard *shards;
    int64_t shard_room;
    char *texts;
    int64_t text_room, lines; /* bytes; of what was left out */
    char *splits[INDEX_SPLITS];
};

static bool no_memory(error *err)
{
    return error_set(err, ERROR_MEMORY, "no memory to write the index of a data set");
}

static bool cannot_write(const index_writer *w, error *err)
{
    return error_set(err, ERROR_IO, "cannot write '%s': %s", w->file.path, strerror(errno ? errno : EIO));
}

/* Appends a text and its NUL; *at says where. */
static bool put_text(index_writer *w, const char *text, size_t length, int64_t *at, error *err)
{
    int64_t bytes = (int64_t)length + 1, need = w->header.text_bytes + bytes;
    if (need > w->text_room) {
        int64_t room = need > 2 * w->text_room ? need + 4096 : 2 * w->text_room;
        char *larger = realloc(w->texts, (size_t)room);
        if (!larger) return no_memory(err);
        w->texts = larger;
        w->text_room = room;
    }
    *at = w->header.text_bytes;
    memcpy(w->texts + *at, text, length);
    w->texts[need - 1] = 0;
    w->header.text_bytes = need;
    return true;
}

index_writer *index_writer_create(const char *path, error *err)
{
    int64_t empty;
    uint8_t none;
    index_writer *w = calloc(1, sizeof *w);
    if (!w) return no_memory(err), NULL;
    memcpy(w->header.magic, INDEX_MAGIC, sizeof w->header.magic);
    w->header.order = INDEX_ORDER;
    if (!file_atomic_open(&w->file, path, err)) return free(w), NULL;
    bool done = put_text(w, "", 0, &empty, err) && index_writer_split(w, "", &none, err);
    errno = 0;
    if (done && fwrite(&w->header, sizeof w->header, 1, w->file.stream) != 1) done = cannot_write(w, err);
    if (done) return w;
    index_writer_abandon(w);
    return NULL;
}

bool index_writer_split(index_writer *w, const char *name, uint8_t *split, error *err)
{
    int64_t i = 0;
    while (i < w->header.splits && strcmp(w->splits[i], name) != 0) ++i;
    if (i == INDEX_SPLITS) i = INDEX_SPLITS - 1;
    *split = (uint8_t)i;
    if (i < w->header.splits) return true;
    if (!(w->splits[i] = strdup(name))) return no_memory(err);
    ++w->header.splits;
    return true;
}

/* The first few lines, as long as there are not many in all; the rest is counted. */
static bool put_lines(index_writer *w, const char *lines, int64_t *at, error *err)
{
    size_t length = 0;
    *at = 0;
    for (int i = 0; i < INDEX_SHARD_LINE && w->lines < INDEX_LINES && lines[length]; ++i, ++w->lines) {
        length += strcspn(lines + length, "\n");
        length += lines[length] == '\n';
    }
    return length == 0 || put_text(w, lines, length, at, err);
}

bool index_writer_add(index_writer *w, const char *path, const index_shard *about, const index_entry *entries,
                      const char *lines, error *err)
{
    index_header *h = &w->header;
    if (h->shards == INDEX_SHARDS)
        return error_set(err, ERROR_USAGE, "a data set of more than %d tars cannot be indexed", INDEX_SHARDS);
    if (h->shards == w->shard_room) {
        int64_t room = w->shard_room ? 2 * w->shard_room : 64;
        index_shard *larger = realloc(w->shards, (size_t)room * sizeof *larger);
        if (!larger) return no_memory(err);
        w->shards = larger;
        w->shard_room = room;
    }
    index_shard *s = &w->shards[h->shards];
    *s = *about;
    s->first = h->samples;
    size_t count = (size_t)s->count;
    index_sum(entries, count * sizeof *entries, s->sum);
    if (!put_text(w, path, strlen(path), &s->path, err) || !put_lines(w, lines, &s->lines, err)) return false;
    errno = 0;
    if (fwrite(entries, sizeof *entries, count, w->file.stream) != count) return cannot_write(w, err);
    h->samples += s->count;
    ++h->shards;
    return true;
}

static void free_writer(index_writer *w)
{
    for (int64_t i = 0; i < w->header.splits; ++i) free(w->splits[i]);
    free(w->shards);
    free(w->texts);
    free(w);
}

static bool put_splits(index_writer *w, error *err)
{
    for (int64_t i = 0, at = 0; i < w->header.splits; ++i) {
        if (!put_text(w, w->splits[i], strlen(w->splits[i]), &at, err)) return false;
        if (i == 0) w->header.first_split = at;
    }
    return true;
}

bool index_writer_finish(index_writer *w, error *err)
{
    FILE *to = w->file.stream;
    index_header *h = &w->header;
    bool done = put_splits(w, err);
    if (done) {
        index_sum_head(h, w->shards, w->texts, h->sum);
        errno = 0;
        done = (fwrite(w->shards, sizeof *w->shards, (size_t)h->shards, to) == (size_t)h->shards &&
                fwrite(w->texts, 1, (size_t)h->text_bytes, to) == (size_t)h->text_bytes &&
                fseek(to, 0, SEEK_SET) == 0 && fwrite(h, sizeof *h, 1, to) == 1) ||
               cannot_write(w, err);
    }
    if (done)
        done = file_atomic_commit(&w->file, err);
    else
        file_atomic_abandon(&w->file);
    free_writer(w);
    return done;
}

void index_writer_abandon(index_writer *w)
{
    if (!w) return;
    file_atomic_abandon(&w->file);
    free_writer(w);
}

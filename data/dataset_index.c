/* dataset_index.c -- see dataset_index.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_index_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct dataset_index {
    void *map;
    size_t bytes;
    const index_header *header;
    const index_entry *entries;
    const index_shard *shards;
    const char *texts;
    const char *splits[INDEX_SPLITS];
};

uint64_t index_hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (const unsigned char *c = (const unsigned char *)text; *c; ++c) h = (h ^ *c) * 1099511628211u;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu; /* so that any of its bits are as good as others */
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

bool index_is_fresh(const index_shard *s, const struct stat *about)
{
    return s->bytes == (int64_t)about->st_size && s->seconds == (int64_t)about->st_mtim.tv_sec &&
           s->nanoseconds == (int64_t)about->st_mtim.tv_nsec;
}

void index_sum(const void *bytes, size_t count, char sum[64])
{
    hash h;
    char hex[65];
    hash_start(&h);
    hash_bytes(&h, bytes, count);
    hash_finish(&h, hex);
    memcpy(sum, hex, 64);
}

void index_sum_head(const index_header *header, const void *shards, const char *texts, char sum[64])
{
    hash h;
    char hex[65];
    index_header blank = *header;
    memset(blank.sum, 0, sizeof blank.sum);
    hash_start(&h);
    hash_bytes(&h, &blank, sizeof blank);
    hash_bytes(&h, shards, (size_t)header->shards * sizeof(index_shard));
    hash_bytes(&h, texts, (size_t)header->text_bytes);
    hash_finish(&h, hex);
    memcpy(sum, hex, 64);
}

/* ---- Checking ---- */

/* Whether the numbers in the header can be true of a file so long. */
static bool check_sizes(const index_header *h, size_t bytes)
{
    if (memcmp(h->magic, INDEX_MAGIC, sizeof h->magic) != 0 || h->order != INDEX_ORDER) return false;
    if (h->samples < 0 || h->shards < 1 || h->shards > INDEX_SHARDS || h->text_bytes < 1) return false;
    if (h->splits < 1 || h->splits > INDEX_SPLITS) return false;
    if (h->samples > INT64_MAX / 64 || h->text_bytes > INT64_MAX / 4) return false;
    return sizeof *h + (size_t)h->samples * sizeof(index_entry) + (size_t)h->shards * sizeof(index_shard) +
               (size_t)h->text_bytes ==
           bytes;
}

static bool is_text(const dataset_index *x, int64_t at)
{
    return at >= 0 && at < x->header->text_bytes;
}

static bool find_splits(dataset_index *x)
{
    int64_t at = x->header->first_split;
    for (int64_t i = 0; i < x->header->splits; ++i) {
        if (!is_text(x, at)) return false;
        x->splits[i] = x->texts + at;
        at += (int64_t)strlen(x->splits[i]) + 1;
    }
    return true;
}

static bool check_entries(const dataset_index *x, const index_shard *s)
{
    char sum[64];
    const index_entry *e = x->entries + s->first;
    index_sum(e, (size_t)s->count * sizeof *e, sum);
    if (memcmp(sum, s->sum, 64) != 0) return false;
    for (int64_t i = 0; i < s->count; ++i)
        if (e[i].split >= x->header->splits || e[i].repeat < 1) return false;
    return true;
}

static bool check(dataset_index *x)
{
    const index_header *h = x->header;
    char sum[64];
    index_sum_head(h, x->shards, x->texts, sum);
    if (memcmp(sum, h->sum, 64) != 0 || x->texts[h->text_bytes - 1] || !find_splits(x)) return false;
    int64_t next = 0;
    for (int64_t i = 0; i < h->shards; ++i) {
        const index_shard *s = &x->shards[i];
        if (s->first != next || s->count < 0 || s->count > h->samples - next) return false;
        if (!is_text(x, s->path) || !is_text(x, s->lines) || !check_entries(x, s)) return false;
        next += s->count;
    }
    return next == h->samples;
}

/* ---- Opening ---- */

static bool map_file(dataset_index *x, const char *path, error *err)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return error_set(err, ERROR_IO, "cannot open '%s': %s", path, strerror(errno));
    bool done = fstat(file, &about) == 0 || error_set(err, ERROR_IO, "cannot look at '%s'", path);
    if (done && (!S_ISREG(about.st_mode) || (size_t)about.st_size < sizeof(index_header)))
        done = error_set(err, ERROR_FORMAT, "%s: is no index of a data set", path);
    x->bytes = done ? (size_t)about.st_size : 0;
    void *map = done ? mmap(NULL, x->bytes, PROT_READ, MAP_SHARED, file, 0) : NULL;
    if (map == MAP_FAILED) done = error_set(err, ERROR_MEMORY, "cannot map '%s': %s", path, strerror(errno));
    if (done) x->map = map;
    close(file);
    return done;
}

dataset_index *index_open(const char *path, error *err)
{
    dataset_index *x = calloc(1, sizeof *x);
    if (!x) return error_null(err, ERROR_MEMORY, "no memory for the index of a data set");
    bool done = map_file(x, path, err);
    if (done) {
        x->header = x->map;
        done = check_sizes(x->header, x->bytes);
        if (done) {
            x->entries = (const index_entry *)(const void *)(x->header + 1);
            x->shards = (const index_shard *)(const void *)(x->entries + x->header->samples);
            x->texts = (const char *)(x->shards + x->header->shards);
            done = check(x);
        }
        if (!done) error_set(err, ERROR_FORMAT, "%s: is damaged, or no index of this program's", path);
    }
    if (done) return x;
    index_close(x);
    return NULL;
}

void index_close(dataset_index *x)
{
    if (!x) return;
    if (x->map) munmap(x->map, x->bytes);
    free(x);
}

/* ---- What it says ---- */

int64_t index_count(const dataset_index *x)
{
    return x->header->samples;
}

int64_t index_bytes(const dataset_index *x)
{
    return (int64_t)x->bytes;
}

const index_entry *index_entries(const dataset_index *x)
{
    return x->entries;
}

int64_t index_shards(const dataset_index *x)
{
    return x->header->shards;
}

const index_shard *index_shard_at(const dataset_index *x, int64_t i)
{
    CHECK(i >= 0 && i < x->header->shards, "shard %lld of %lld", (long long)i, (long long)x->header->shards);
    return &x->shards[i];
}

int64_t index_shard_of(const dataset_index *x, int64_t sample)
{
    int64_t low = 0, high = x->header->shards - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (x->shards[middle].first <= sample)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

const char *index_text(const dataset_index *x, int64_t at)
{
    CHECK(is_text(x, at), "text %lld", (long long)at);
    return x->texts + at;
}

int index_split_count(const dataset_index *x)
{
    return (int)x->header->splits;
}

const char *index_split(const dataset_index *x, int i)
{
    CHECK(i >= 0 && i < x->header->splits, "split %d of %lld", i, (long long)x->header->splits);
    return x->splits[i];
}

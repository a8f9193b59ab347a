/* dataset_list.c -- see dataset_list.h.
 * SPDX-License-Identifier: MIT */
#include "data/dataset_list.h"
#include "data/dataset_copy.h"
#include "data/dataset_pair.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool no_memory(const char *path, error *err)
{
    return error_set(err, ERROR_MEMORY, "%s: no memory to list it", path);
}

/* The tar's place in blocks; false where it has none: every header and every member begins a block, and
 * there are not more than 2^32 of these. */
static bool to_blocks(int64_t place, uint32_t *blocks)
{
    *blocks = (uint32_t)(place / INDEX_BLOCK);
    return place >= 0 && place % INDEX_BLOCK == 0 && place / INDEX_BLOCK <= UINT32_MAX;
}

static bool put_entry(const char *path, const pair_item *item, index_writer *w, index_entry *e, error *err)
{
    const dataset_sample *s = &item->sample;
    const member *p = &item->picture, *c = item->caption, *d = item->details;
    *e = (index_entry){ .key = index_hash(s->key), .repeat = (uint8_t)s->repeat };
    bool good = to_blocks(p->head, &e->head) && to_blocks(p->place, &e->picture) &&
                (!c || to_blocks(c->place, &e->caption)) && (!d || to_blocks(d->place, &e->details));
    if (!good)
        return error_set(err, ERROR_FORMAT,
                         "%s: '%s' does not begin at a block of the first two TiB, so it cannot be indexed",
                         path, p->name);
    e->picture_bytes = (uint32_t)p->size;
    if (c) e->caption_bytes = (uint32_t)c->size, e->flags |= INDEX_HAS_CAPTION;
    if (d) e->details_bytes = (uint32_t)d->size, e->flags |= INDEX_HAS_DETAILS;
    if (s->caption_count) e->flags |= INDEX_CAPTIONED;
    if (strlen(s->key) == p->stem_length) e->flags |= INDEX_STEM;
    return index_writer_split(w, s->split, &e->split, err);
}

static bool put_entries(const char *path, const pairing *p, index_writer *w, shard_listing *out, error *err)
{
    hash content;
    char hex[65];
    bool done = true;
    hash_start(&content);
    out->about.count = p->count;
    out->entries = malloc((size_t)(p->count + 1) * sizeof *out->entries);
    if (!out->entries) return no_memory(path, err);
    for (int64_t i = 0; done && i < p->count; ++i) {
        const pair_item *item = &p->items[i];
        done = put_entry(path, item, w, &out->entries[i], err);
        sample_hash(&content, &item->sample, item->picture.size);
        out->about.picture_bytes += item->picture.size;
    }
    hash_finish(&content, hex);
    memcpy(out->about.content, hex, sizeof out->about.content);
    return done;
}

/* A line may hold no other's end, whatever names hold. */
static bool put_lines(const char *path, const member_list *list, shard_listing *out, error *err)
{
    int64_t count = list->left_out_count < INDEX_SHARD_LINE ? list->left_out_count : INDEX_SHARD_LINE;
    size_t bytes = 1;
    out->about.left_out = list->left_out_count;
    if (count == 0) return true;
    for (int64_t i = 0; i < count; ++i) bytes += strlen(list->left_out[i]) + 1;
    char *end = out->lines = malloc(bytes);
    if (!end) return no_memory(path, err);
    for (int64_t i = 0; i < count; ++i) {
        for (const char *c = list->left_out[i]; *c; ++c) *end++ = *c == '\n' ? ' ' : *c;
        *end++ = '\n';
    }
    *end = 0;
    return true;
}

/* Whether something's bytes do not lie in the file as they are: as of all in a compressed tar, and of sparse
 * files. */
static bool is_packed(const pairing *p)
{
    for (int64_t i = 0; i < p->count; ++i) {
        const pair_item *item = &p->items[i];
        if (item->picture.offset < 0 || (item->caption && item->caption->offset < 0) ||
            (item->details && item->details->offset < 0))
            return true;
    }
    return false;
}

static bool pair(const char *path, member_list *list, index_writer *w, shard_listing *out, error *err)
{
    pairing p = { .paths = &path, .part = true, .list = list, .err = err };
    bool done = pair_members(&p) && put_entries(path, &p, w, out, err) && put_lines(path, list, out, err);
    out->about.pictures = list->pictures;
    out->about.held = list->held;
    out->about.paired = p.paired;
    out->about.lonely_captions = p.lonely_captions;
    out->about.lonely_pictures = p.lonely_pictures;
    out->about.packed = done && is_packed(&p);
    free(p.items);
    return done;
}

static bool look(const char *path, struct stat *about, error *err)
{
    char *name = source_options_cut(path);
    if (!name) return no_memory(path, err);
    bool done =
        stat(name, about) == 0 || error_set(err, ERROR_IO, "cannot open '%s': %s", name, strerror(errno));
    free(name);
    return done;
}

bool list_shard(const char *path, bool lenient, index_writer *w, shard_listing *out, error *err)
{
    struct stat before;
    int file = -1;
    *out = (shard_listing){ 0 };
    if (!look(path, &before, err)) return false;
    out->about.bytes = (int64_t)before.st_size;
    out->about.seconds = (int64_t)before.st_mtim.tv_sec;
    out->about.nanoseconds = (int64_t)before.st_mtim.tv_nsec;
    arena *memory = arena_create();
    member_list list = { .memory = memory, .locate = true, .lenient = lenient };
    bool done = memory ? source_list(&list, path, 0, &file, err) : no_memory(path, err);
    if (file >= 0) close(file);
    done = done && pair(path, &list, w, out, err);
    source_free(&list);
    arena_destroy(memory);
    if (!done) list_free(out);
    return done;
}

void list_free(shard_listing *l)
{
    free(l->entries);
    free(l->lines);
    *l = (shard_listing){ 0 };
}
